/**
 * Modes of files. Windows has none: a file there has the rights of its folder,
 * which in a person's own folders are that person's. Nothing else in this room
 * knows the system.
 *
 * @module
 */

import type { System } from "../../variables.ts";

/** The permission bits. */
const MODE_BITS = 0o7777;

/** Sets the mode of a file or folder, where there are modes. */
export function setMode(
  path: string,
  mode: number,
  system: System = Deno.build.os,
): void {
  if (system !== "windows") Deno.chmodSync(path, mode & MODE_BITS);
}

/** Returns whether `mode` has one of the bits of `mask`; null has none. */
export function grants(
  mode: number | null,
  mask: number,
  system: System = Deno.build.os,
): boolean {
  return mode !== null && system !== "windows" && (mode & mask) !== 0;
}

/**
 * Returns whether an open file is still the one at its path, and no link took
 * its place. Windows numbers no files, and lets nobody replace an open one.
 */
export function isSameFile(
  opened: Deno.FileInfo,
  present: Deno.FileInfo | null,
  system: System = Deno.build.os,
): boolean {
  if (system === "windows") return true;
  return present !== null && !present.isSymlink &&
    opened.ino === present.ino && opened.dev === present.dev;
}
