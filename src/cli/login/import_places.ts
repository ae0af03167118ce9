/**
 * Where `tc import` looks, and who owns the logins that came from there.
 *
 * @module
 */

import { systemRunner } from "../../system/command_runner.ts";
import type { ImportPlaces } from "../../auth/import/import_files.ts";
import { importOwners } from "../../auth/import/pool_owners.ts";
import { placeOwners } from "../../auth/shared/live_place.ts";
import type { FamilyOwners } from "../../auth/shared/family_owners.ts";
import { readMachineId } from "../../store/vault/machine_secret.ts";
import { folderFacts, storeAt } from "./login_stores.ts";
import type { Shell } from "../shell.ts";

export function importPlaces(shell: Shell): ImportPlaces {
  const facts = folderFacts(shell);
  // As claude-pool finds it: the system's word, else the environment's.
  const userName = facts.userName ?? (shell.environment["USER"] || "user");
  return {
    facts,
    runner: systemRunner,
    async machine() {
      const reading = await readMachineId({
        os: Deno.build.os,
        runner: systemRunner,
        userName,
        readText: (path) => Deno.readTextFile(path).catch(() => null),
      });
      return {
        userName,
        machineId: reading.kind === "told" ? reading.id : null,
      };
    },
  };
}

/** The programs that hold the same logins as the vault. */
export function familyOwners(shell: Shell): FamilyOwners {
  const claude = placeOwners((location) => storeAt(location, shell));
  return importOwners(claude, importPlaces(shell));
}
