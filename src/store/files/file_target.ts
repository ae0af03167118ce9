/**
 * Which file a path means, and who may use it.
 *
 * @module
 */

import { TcError } from "../../errors.ts";
import { fileError } from "./file_error.ts";

const LINKS_MAX = 40;
const MODE_BITS = 0o777;

/**
 * The file that `path` means: the end of its chain of links, there or not.
 * Writing to it keeps the link.
 */
export async function resolveTarget(path: string): Promise<string> {
  let target = path;
  for (let links = 0; links < LINKS_MAX; links++) {
    const next = await linkTarget(target);
    if (next === null) return target;
    target = next;
  }
  throw new TcError(`Cannot open ${path}: too many links`, {
    code: "too_many_links",
  });
}

async function linkTarget(path: string): Promise<string | null> {
  try {
    const info = await Deno.lstat(path);
    if (!info.isSymlink) return null;
    const link = await Deno.readLink(path);
    return isAbsolute(link) ? link : `${folderOf(path)}/${link}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw fileError(`read ${path}`, error);
  }
}

function isAbsolute(path: string): boolean {
  return /^(?:[/\\]|[A-Za-z]:[/\\])/.test(path);
}

/** The folder that holds `path`. */
export function folderOf(path: string): string {
  const end = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  if (end < 0) return ".";
  return end === 0 ? "/" : path.slice(0, end);
}

/** Who may do what with `path`; undefined where there is none to ask. */
export async function modeOf(path: string): Promise<number | undefined> {
  try {
    const { mode } = await Deno.stat(path);
    return mode === null ? undefined : mode & MODE_BITS;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw fileError(`read ${path}`, error);
  }
}
