/**
 * The programs whose logins were imported, as owners of them: Claude Code by
 * its own store, the pool tools by their files, which are read and never
 * written.
 *
 * @module
 */

import type { FamilyOwners } from "../auth/shared_family.ts";
import { inPool } from "../auth/import_rows.ts";
import { TcError } from "../errors.ts";
import type { OAuthCredential, SharedFamily } from "../ports.ts";
import { importOf, type ImportPlaces } from "./import_files.ts";

/** `claude` knows the stores of Claude Code. */
export function importOwners(
  claude: FamilyOwners,
  places: ImportPlaces,
): FamilyOwners {
  return {
    read: (family) =>
      family.tool === "claude_code"
        ? claude.read(family)
        : readPool(family, places),
    handBack: claude.handBack,
  };
}

/** The login of one account of a tool's file, as it is there now. */
async function readPool(
  { location }: SharedFamily,
  places: ImportPlaces,
): Promise<OAuthCredential | null> {
  const end = location.lastIndexOf("#");
  const path = end < 0 ? location : location.slice(0, end);
  const reading = await importOf(path, places).catch((cause) => {
    // A tool that is gone, or whose file is broken, holds no login.
    if (!(cause instanceof TcError)) throw cause;
    return null;
  });
  const found = reading?.candidates.find(({ name, email }) =>
    inPool(path, name ?? email) === location
  );
  return found?.credential.kind === "oauth" ? found.credential : null;
}
