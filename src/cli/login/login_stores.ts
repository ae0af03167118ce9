/**
 * Where logins are on this machine: the stores of Claude Code, the places where
 * `tc import` looks, and who owns the logins that came from there.
 *
 * @module
 */

import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import { systemClock } from "../../system/clock.ts";
import { systemRunner } from "../../system/command_runner.ts";
import {
  type ClaudeFolder,
  claudeFolder,
  folderAt,
  type FolderFacts,
  locationOf,
} from "../../claude/claude_folder.ts";
import { ClaudeLoginStore } from "../../claude/login/login_store.ts";
import { ForeignTexts } from "../../store/files/foreign_text.ts";
import type { Shell } from "../shell.ts";
import { profilesFolder } from "../swap/swap_files.ts";
import type { ImportPlaces } from "../../auth/import/import_files.ts";
import { projectOfSession } from "../../claude/sessions/project.ts";
import { importOwners } from "../../auth/import/pool_owners.ts";
import { placeOwners } from "../../auth/shared/live_place.ts";
import type { FamilyOwners } from "../../auth/shared/family_owners.ts";
import { readMachineId } from "../../store/vault/machine_secret.ts";

/** Returns what decides where Claude Code keeps its files. */
export function folderFacts(shell: Shell): FolderFacts {
  return {
    environment: shell.environment,
    system: shell.system,
    userName: userName(),
  };
}

/** Returns what finds the repository of a session in the client's files. */
export function projectFinder(
  shell: Shell,
): (session: string) => Promise<string | null> {
  const { folder } = claudeFolder(folderFacts(shell));
  return (session) => projectOfSession(folder, session);
}

/** Returns the login store of one config folder of Claude Code. */
export function storeOf(
  folder: ClaudeFolder,
  texts: ForeignTexts,
): ClaudeLoginStore {
  return new ClaudeLoginStore(folder, {
    files: texts,
    runner: systemRunner,
    clock: systemClock,
  });
}

/** Returns the store at the `location` that an account remembers, or null. */
export function storeAt(
  location: string,
  shell: Shell,
): ClaudeLoginStore | null {
  const facts = folderFacts(shell);
  const texts = new ForeignTexts();
  const isFile = location.endsWith(".credentials.json");
  const folders = [
    claudeFolder(facts),
    ...profileFolders(shell).map((folder) => folderAt(folder, facts)),
    ...isFile ? [folderAt(dirname(location), facts)] : [],
  ];
  const folder = folders.find(({ login }) => locationOf(login) === location);
  return folder === undefined ? null : storeOf(folder, texts);
}

/** Returns the config folders of all profiles. */
function profileFolders(shell: Shell): readonly string[] {
  const folder = profilesFolder(shell.paths);
  try {
    return [...Deno.readDirSync(folder)]
      .filter((entry) => entry.isDirectory)
      .map(({ name }) => join(folder, name));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function userName(): string | null {
  try {
    return userInfo().username;
  } catch {
    // A user without an entry in the system's list has no name.
    return null;
  }
}

export function importPlaces(shell: Shell): ImportPlaces {
  const facts = folderFacts(shell);
  // claude-pool does the same: the system's user name, else the variable.
  const userName = facts.userName ?? (shell.environment["USER"] || "user");
  return {
    facts,
    runner: systemRunner,
    async machine() {
      const reading = await readMachineId({
        os: shell.system,
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

/** Returns the stores of programs that hold the same logins as the vault. */
export function familyOwners(shell: Shell): FamilyOwners {
  const claude = placeOwners((location) => storeAt(location, shell));
  return importOwners(claude, importPlaces(shell));
}
