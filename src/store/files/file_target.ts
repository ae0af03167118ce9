/**
 * Which file a path means, who may use it, and the words for what the system
 * refuses.
 *
 * @module
 */

import { EXIT, TcError } from "../../errors.ts";
import { type Hint, moreFiles } from "../../shell_words.ts";

const LINKS_MAX = 40;
const MODE_BITS = 0o777;

/**
 * Returns the file that `path` means: the end of its chain of links, existing
 * or not. Writing to it keeps the link.
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

/** Returns the folder that holds `path`. */
export function folderOf(path: string): string {
  const end = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  if (end < 0) return ".";
  return end === 0 ? "/" : path.slice(0, end);
}

/**
 * Returns the mode of `path`, or undefined if there is no such file or no
 * modes.
 */
export async function modeOf(path: string): Promise<number | undefined> {
  try {
    const { mode } = await Deno.stat(path);
    return mode === null ? undefined : mode & MODE_BITS;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw fileError(`read ${path}`, error);
  }
}

interface Refusal {
  readonly code: string;
  readonly reason: string;
  readonly hint: Hint;
  readonly exitCode: number;
}

/** Refusals by the system's code. */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  ENOSPC: {
    code: "disk_full",
    reason: "the disk is full",
    hint: "Free some space; what was there is untouched",
    exitCode: EXIT.cannotWrite,
  },
  EDQUOT: {
    code: "disk_full",
    reason: "the disk quota is spent",
    hint: "Free some space; what was there is untouched",
    exitCode: EXIT.cannotWrite,
  },
  EROFS: {
    code: "read_only",
    reason: "the file system is read-only",
    hint: "Mount it writable, or choose another folder",
    exitCode: EXIT.cannotWrite,
  },
  EACCES: {
    code: "no_permission",
    reason: "permission denied",
    hint: "Check who owns the file and its folder",
    exitCode: EXIT.noPermission,
  },
  ENOTDIR: {
    code: "no_folder",
    reason: "a part of the path is a file and no folder",
    hint: "Move the file away",
    exitCode: EXIT.cannotWrite,
  },
  ENOENT: {
    code: "not_there",
    reason: "there is no such file or folder",
    hint: "It may have been removed meanwhile",
    exitCode: EXIT.cannotWrite,
  },
  EMFILE: {
    code: "too_many_files",
    reason: "this process has as many files open as it may",
    hint: (person) => moreFiles(person, 4_096),
    exitCode: EXIT.cannotWrite,
  },
  EXDEV: {
    code: "other_device",
    reason: "the file and its folder are on different devices",
    hint: "Put the file on the device of its folder",
    exitCode: EXIT.cannotWrite,
  },
  EBUSY: {
    code: "busy",
    reason: "the file is mounted or in use",
    hint: "Mount its folder and not the single file",
    exitCode: EXIT.cannotWrite,
  },
  EISDIR: {
    code: "is_folder",
    reason: "it is a folder",
    hint: "Move the folder away",
    exitCode: EXIT.cannotWrite,
  },
  EIO: {
    code: "device_error",
    reason: "the device reports an error",
    hint: "Check the disk",
    exitCode: EXIT.cannotWrite,
  },
};

/** Returns the system's code for `cause`, or null if it has none. */
export function systemCode(cause: unknown): string | null {
  if (
    cause instanceof Deno.errors.PermissionDenied ||
    cause instanceof Deno.errors.NotCapable
  ) return "EACCES";
  if (cause instanceof Deno.errors.NotFound) return "ENOENT";
  if (!(cause instanceof Error) || !("code" in cause)) return null;
  const { code } = cause;
  if (code === "EPERM") return "EACCES";
  return typeof code === "string" ? code : null;
}

/**
 * Returns the error of a failed file operation. `action` completes "Cannot …",
 * as in `write /path`. An error that is already readable is returned unchanged.
 */
export function fileError(action: string, cause: unknown): TcError {
  if (cause instanceof TcError) return cause;
  const system = systemCode(cause);
  const refusal = system === null ? undefined : REFUSALS[system];
  const reason = refusal?.reason ?? system ??
    (cause instanceof Error ? cause.name : "unknown reason");
  return new TcError(`Cannot ${action}: ${reason}`, {
    code: refusal?.code ?? "file_failed",
    exitCode: refusal?.exitCode ?? EXIT.cannotWrite,
    cause,
    ...(refusal === undefined ? {} : { hint: refusal.hint }),
  });
}
