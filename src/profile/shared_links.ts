/**
 * What all profiles share: links to Claude Code's own folder. If the client
 * replaced a link by a file, its content is merged back.
 *
 * @module
 */

import { join } from "node:path";
import { readIfThere, writeAtomic } from "../store/files/atomic.ts";
import { fileError, resolveTarget } from "../store/files/file_target.ts";
import { setMode } from "../store/files/file_modes.ts";

/** Files that the user makes, the same for every account. */
const SHARED_FILES: readonly string[] = [
  "settings.json",
  "CLAUDE.md",
  "keybindings.json",
];

/**
 * Folders of the same kind; `projects` has the transcripts, so that any account
 * can resume.
 */
const SHARED_FOLDERS: readonly string[] = [
  "agents",
  "commands",
  "file-history",
  "hooks",
  "memory",
  "output-styles",
  "plans",
  "plugins",
  "projects",
  "rules",
  "skills",
  "themes",
  "todos",
];

/**
 * Created at once: a session that begins in a profile must be visible from all.
 */
const ALWAYS = "projects";

/**
 * Links `folder` to `shared`. Merges what is in the way of a link: the newer
 * content wins, the older is kept beside it. Returns what was merged.
 */
export async function linkShared(
  folder: string,
  shared: string,
): Promise<readonly string[]> {
  await makeFolder(folder);
  await makeFolder(join(shared, ALWAYS));
  const merged: string[] = [];
  for (const name of [...SHARED_FILES, ...SHARED_FOLDERS]) {
    const own = join(folder, name);
    const target = join(shared, name);
    const found = await look(own);
    // The link is correct, or the user's own.
    if (found?.isSymlink) continue;
    if (found !== null) {
      await merge(own, target);
      merged.push(name);
    }
    const there = await look(target);
    if (there !== null) await link(own, target, SHARED_FOLDERS.includes(name));
  }
  return merged;
}

async function merge(own: string, target: string): Promise<void> {
  const found = await look(own);
  if (found === null) return;
  if (!found.isDirectory) return await mergeFile(own, target);
  const path = await resolveTarget(target);
  const there = await look(path);
  if (there !== null && !there.isDirectory) {
    return await merge(own, await freePath(`${path}.kept`));
  }
  if (there === null) await makeFolder(target);
  for await (const { name, isSymlink } of Deno.readDir(own)) {
    if (isSymlink) await moveLink(join(own, name), join(target, name));
    else await merge(join(own, name), join(target, name));
  }
  await Deno.remove(own);
}

async function mergeFile(own: string, target: string): Promise<void> {
  const path = await resolveTarget(target);
  const ours = await readIfThere(own);
  const theirs = await look(path);
  if (ours === null) return;
  if (theirs?.isDirectory) {
    return await mergeFile(own, await freePath(`${path}.kept`));
  }
  const mode = (theirs ?? await look(own))?.mode ?? null;
  const before = await readIfThere(path);
  if (before === null) await writeWithMode(path, ours, mode);
  else if (!isEqual(before, ours)) {
    const [ourTime, theirTime] = await Promise.all([
      changedAt(own),
      changedAt(path),
    ]);
    const isOursNewer = ourTime >= theirTime;
    const beside = await freePath(`${path}.older`);
    await writeAtomic(beside, isOursNewer ? before : ours);
    if (isOursNewer) await writeWithMode(path, ours, mode);
  }
  await Deno.remove(own);
}

/** Writes with the same mode, so that an executable hook stays executable. */
async function writeWithMode(
  path: string,
  bytes: Uint8Array,
  mode: number | null,
): Promise<void> {
  await writeAtomic(path, bytes);
  if (mode !== null) setMode(path, mode);
}

async function moveLink(own: string, target: string): Promise<void> {
  if (await look(target) === null) {
    await Deno.symlink(await Deno.readLink(own), target);
  }
  await Deno.remove(own);
}

async function link(
  own: string,
  target: string,
  isFolder: boolean,
): Promise<void> {
  if (await look(own) !== null) return;
  try {
    // Only Windows looks at the type, and lets every user make junctions.
    await Deno.symlink(target, own, { type: isFolder ? "junction" : "file" });
  } catch (error) {
    if (isFolder) throw fileError(`link ${own}`, error);
    // On Windows not every user may create links to files.
    await Deno.link(target, own).catch(() => {
      throw fileError(`link ${own}`, error);
    });
  }
}

async function look(path: string): Promise<Deno.FileInfo | null> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw fileError(`read ${path}`, error);
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fileError(`make ${path}`, error);
  }
}

/** Returns `path`, or `path` with the first free number. */
async function freePath(path: string): Promise<string> {
  for (let count = 1;; count++) {
    const candidate = count === 1 ? path : `${path}-${count}`;
    if (await look(candidate) === null) return candidate;
  }
}

async function changedAt(path: string): Promise<number> {
  return (await Deno.stat(path)).mtime?.getTime() ?? 0;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
