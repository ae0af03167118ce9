/**
 * The repository in which a session of Claude Code works: from its list of
 * running clients, or from its transcript (claude-code 2.1.329 and 2.1.332).
 *
 * @module
 */

import { dirname, join, resolve } from "node:path";
import { asObject, asText, readJson, readNames } from "../claude_file.ts";
import { transcriptPaths } from "./transcript.ts";

/** Folders above the working folder in which a repository is looked for. */
const DEPTH_MAX = 40;

/** How much of a transcript is read: its first lines name the folder. */
const HEAD_BYTES = 65_536;

/** Longer paths are not taken for folders. */
const PATH_LENGTH_MAX = 4_096;

/**
 * Returns the root of the repository that holds `folder`, or `folder` itself
 * if there is none. A linked worktree belongs to its main repository.
 */
export function repositoryOf(folder: string): string {
  let place = folder;
  for (let depth = 0; depth < DEPTH_MAX; depth++) {
    const root = rootAt(place);
    if (root !== null) return root;
    const above = dirname(place);
    if (above === place) break;
    place = above;
  }
  return folder;
}

/** Returns the repository whose `.git` is in `folder`; null if there is none. */
function rootAt(folder: string): string | null {
  const git = join(folder, ".git");
  try {
    if (!Deno.statSync(git).isFile) return folder;
    const [, named = ""] = /^gitdir: (.+)/.exec(Deno.readTextFileSync(git)) ??
      [];
    const own = resolve(folder, named.trim());
    // Only a worktree has this file; a submodule is a repository of its own.
    const common = Deno.readTextFileSync(join(own, "commondir")).trim();
    const shared = resolve(own, common);
    return shared.endsWith("/.git") || shared.endsWith("\\.git")
      ? dirname(shared)
      : folder;
  } catch (cause) {
    return cause instanceof Deno.errors.NotFound && !isThere(git)
      ? null
      : folder;
  }
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Returns the repository of `session`; null if no file names its folder. */
export async function projectOfSession(
  claudeFolder: string,
  session: string,
): Promise<string | null> {
  const folder = await folderOfClient(claudeFolder, session) ??
    await folderInTranscript(claudeFolder, session);
  return folder === null || folder.length > PATH_LENGTH_MAX
    ? null
    : repositoryOf(folder);
}

/** Returns the folder that a running client names. */
async function folderOfClient(
  claudeFolder: string,
  session: string,
): Promise<string | null> {
  const folder = join(claudeFolder, "sessions");
  for (const name of await readNames(folder)) {
    if (!/^\d+\.json$/.test(name)) continue;
    const client = asObject(await readJson(join(folder, name)));
    if (client?.["sessionId"] === session) return asText(client["cwd"]);
  }
  return null;
}

async function folderInTranscript(
  claudeFolder: string,
  session: string,
): Promise<string | null> {
  const [path] = (await transcriptPaths(claudeFolder)).get(session) ?? [];
  const text = path === undefined ? "" : await headOf(path);
  for (const line of text.split("\n")) {
    const folder = folderIn(line);
    if (folder !== null) return folder;
  }
  return null;
}

function folderIn(line: string): string | null {
  if (!line.includes('"cwd"')) return null;
  try {
    return asText(asObject(JSON.parse(line))?.["cwd"]);
  } catch {
    // The line was cut, or is half-written.
    return null;
  }
}

async function headOf(path: string): Promise<string> {
  try {
    using file = await Deno.open(path);
    const bytes = new Uint8Array(HEAD_BYTES);
    const count = await file.read(bytes) ?? 0;
    return new TextDecoder().decode(bytes.subarray(0, count));
  } catch {
    // It was removed meanwhile.
    return "";
  }
}
