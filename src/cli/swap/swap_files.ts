/**
 * The files of swapping and profiles. Loads very little, because hooks run it at
 * every prompt.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { sha256 } from "../../auth/sign_in/account_id.ts";
import { oneSpelling } from "../../system/file_spelling.ts";
import type { Paths } from "../../system/paths.ts";
import {
  type ClaudeFolder,
  claudeFolder,
  folderAt,
} from "../../claude/claude_folder.ts";
import type { Host } from "../../variables.ts";

const FILE_MARK_DIGITS = 8;

/** Returns the folder that holds the config folders of profiles. */
export function profilesFolder({ secretsFolder }: Paths): string {
  return join(secretsFolder, "profiles");
}

/** Whether Claude Code's folder in `environment` belongs to a profile. */
export function isProfileFolder(
  host: Host,
  paths: Paths,
): boolean {
  const above = dirname(folderOf(host).folder);
  return oneSpelling(above, host.system) ===
    oneSpelling(profilesFolder(paths), host.system);
}

/** Returns the file with the state of swapping for `environment`'s Claude Code. */
export async function swapFile(
  host: Host,
  paths: Paths,
): Promise<string> {
  const { isDefault, folder } = folderOf(host);
  const mark = isDefault
    ? ""
    : `-${
      (await sha256(oneSpelling(folder, host.system)))
        .slice(0, FILE_MARK_DIGITS)
    }`;
  return join(paths.secretsFolder, `swap${mark}.json`);
}

/** Spells a folder in one way: two spellings would be two states. */
function folderOf(host: Host): ClaudeFolder {
  const facts = { ...host, userName: null };
  const found = claudeFolder(facts);
  return found.isDefault ? found : folderAt(found.folder, facts);
}

/*
 * A note for one session: it met its limit, and Claude Code has another login
 * now. The client ignores the output of a StopFailure hook (2.1.329 and 2.1.332)
 * and its screen announces the old reset. So the status line shows the note, and
 * the hook of the next prompt says it and removes it.
 */

/** An older note is of another day. */
const OLD_MS = 6 * 3_600_000;
const SESSION = /^[\w-]{1,128}$/;
const LABEL_LENGTH_MAX = 100;

/** Writes the note; if the folder cannot be written, only the note is lost. */
export function leaveNote(
  stateFolder: string,
  session: string | null,
  label: string,
): void {
  if (session === null || !SESSION.test(session)) return;
  const file = fileOf(stateFolder, session);
  try {
    Deno.mkdirSync(join(stateFolder, "swapped"), {
      recursive: true,
      mode: 0o700,
    });
    removeOld(join(stateFolder, "swapped"));
    Deno.writeTextFileSync(file, label, { mode: 0o600 });
  } catch {
    // The swap itself is done.
  }
}

/** Returns the label of the account that the session got, or null. */
export function readNote(
  stateFolder: string,
  session: string | null,
): string | null {
  if (session === null || !SESSION.test(session)) return null;
  const file = fileOf(stateFolder, session);
  try {
    if (isOld(file)) return null;
    return Deno.readTextFileSync(file).slice(0, LABEL_LENGTH_MAX) || null;
  } catch {
    // Usually there is no note.
    return null;
  }
}

/** Returns the note as {@linkcode readNote} does, and removes it. */
export function takeNote(
  stateFolder: string,
  session: string | null,
): string | null {
  const label = readNote(stateFolder, session);
  if (label !== null && session !== null) remove(fileOf(stateFolder, session));
  return label;
}

function fileOf(stateFolder: string, session: string): string {
  return join(stateFolder, "swapped", session);
}

function removeOld(folder: string): void {
  for (const { name } of Deno.readDirSync(folder)) {
    const file = join(folder, name);
    if (isOld(file)) remove(file);
  }
}

function isOld(file: string): boolean {
  const writtenAt = Deno.lstatSync(file).mtime?.getTime() ?? 0;
  return Date.now() - writtenAt > OLD_MS;
}

function remove(file: string): void {
  try {
    Deno.removeSync(file);
  } catch {
    // Another hook has removed it.
  }
}
