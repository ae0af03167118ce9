/**
 * The programs whose logins were imported, as owners of those logins. Claude
 * Code owns its store; the files of other pool tools are read and never
 * written.
 *
 * @module
 */

import type {
  FamilyOwners,
  OwnerHold,
  OwnerReading,
} from "../shared/family_owners.ts";
import { inPool } from "./import_rows.ts";
import { TcError } from "../../errors.ts";
import type { SharedFamily } from "../../ports.ts";
import { importOf, type ImportPlaces } from "./import_files.ts";

/** Returns the owners; `claude` knows Claude Code's stores. */
export function importOwners(
  claude: FamilyOwners,
  places: ImportPlaces,
): FamilyOwners {
  return {
    hold: (family) =>
      family.tool === "claude_code"
        ? claude.hold(family)
        : Promise.resolve(holdPool(family, places)),
  };
}

/** A tool's file has no lock, and tc never writes it. */
function holdPool(family: SharedFamily, places: ImportPlaces): OwnerHold {
  return {
    read: () => readPool(family, places),
    obstacle: () => Promise.resolve(null),
    handBack: null,
    release: () => Promise.resolve(),
  };
}

/** Returns the login of one account in a tool's file as it is now. */
async function readPool(
  { location }: SharedFamily,
  places: ImportPlaces,
): Promise<OwnerReading> {
  const end = location.lastIndexOf("#");
  const path = end < 0 ? location : location.slice(0, end);
  const reading = await importOf(path, places).catch((cause) => {
    // A tool that is gone or whose file is broken holds no login.
    if (!(cause instanceof TcError)) throw cause;
    return null;
  });
  const found = reading?.candidates.find(({ name, email }) =>
    inPool(path, name ?? email) === location
  );
  if (found?.credential.kind !== "oauth") return { kind: "none" };
  const { credential, identity } = found;
  return { kind: "login", credential, identity };
}
