/**
 * Checks who owns a file or folder, and refuses what others own or can write,
 * as ssh does. A stranger's key file would open the admin routes to them, and
 * their link would redirect our writes.
 *
 * @module
 */

import { EXIT, TcError } from "../../errors.ts";
import { folderOf } from "./file_target.ts";
import { grants, isSameFile, setMode } from "./file_modes.ts";
import { type Hint, setFileMode, showFile } from "../../shell_words.ts";

const GROUP_WRITES = 0o020;
const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;
const PRIVATE_FILE = 0o600;
const LOOSE_BITS = 0o077;
const ROOT = 0;

/** The user and group that own a file or run this process. */
interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Read once when the program starts, because the main thread gives this
 * permission up later.
 */
const THIS_OWNER = ownerOfProcess();

/** Returns who this process is; null if that is unknown. */
function thisOwner(): Owner | null {
  return THIS_OWNER;
}

function ownerOfProcess(): Owner | null {
  // A thread without the permission would ask the person in the terminal.
  const isGranted = (["uid", "gid"] as const).every((kind) =>
    Deno.permissions.querySync({ name: "sys", kind }).state === "granted"
  );
  if (!isGranted) return null;
  // Windows has no such numbers.
  const [uid, gid] = [Deno.uid(), Deno.gid()];
  return uid === null || gid === null ? null : { uid, gid };
}

/**
 * Throws TcError `foreign_file` if the folder or file at `path` belongs to
 * another user or others can change it. Links are followed. A missing one is
 * fine.
 */
export function refuseForeign(
  path: string,
  owner: Owner | null = thisOwner(),
): void {
  const info = ownInfo(path, owner);
  if (info === null || owner === null) return;
  const mode = info.mode ?? 0;
  // In a sticky folder such as /tmp nobody can replace files of others.
  if ((mode & STICKY) !== 0) return;
  const isPrivateGroup = info.gid === owner.gid && owner.gid === owner.uid;
  const forbidden = isPrivateGroup ? OTHERS_WRITE : GROUP_WRITES | OTHERS_WRITE;
  if ((mode & forbidden) === 0) return;
  if (info.uid === owner.uid && tighten(path, mode & ~forbidden)) return;
  throw foreign(
    path,
    "other users can write it",
    (person) => setFileMode(person, "go-w", path),
  );
}

/**
 * Throws TcError `foreign_file` if the file at `path` belongs to another user,
 * is a link, or is not a plain file. Removes write access of others. A missing
 * file is fine.
 */
export function refuseForeignFile(
  path: string,
  owner: Owner | null = thisOwner(),
): void {
  const link = lstat(path);
  if (link === null) return;
  if (link.isSymlink) throw foreign(path, "it is a link", shown(path));
  if (!link.isFile) {
    throw foreign(path, "it is not a regular file", shown(path));
  }
  const info = ownInfo(path, owner);
  const mode = info?.mode ?? 0;
  if (owner === null || (mode & (GROUP_WRITES | OTHERS_WRITE)) === 0) return;
  if (tighten(path, mode & ~(GROUP_WRITES | OTHERS_WRITE))) return;
  throw foreign(
    path,
    "other users can write it",
    (person) => setFileMode(person, "go-w", path),
  );
}

/**
 * Removes all access but its owner's from a file that holds a secret. Returns
 * false if it stays open to others.
 */
export function tightenSecret(path: string): boolean {
  const info = lstat(path);
  if (info === null || !grants(info.mode, LOOSE_BITS)) return true;
  return tighten(path, PRIVATE_FILE);
}

/**
 * Opens the file at `path`, which must be ours, without following a link; makes
 * it, private, if it is missing. Throws TcError `foreign_file`.
 */
export function openOwnSync(
  path: string,
  options: Pick<Deno.OpenOptions, "append" | "read" | "write">,
): Deno.FsFile {
  refuseForeignFile(path);
  const file = Deno.openSync(path, {
    ...options,
    create: true,
    mode: PRIVATE_FILE,
  });
  // Between the check and the opening, somebody may have put a link there.
  if (isSameFile(file.statSync(), lstat(path))) return file;
  file.close();
  throw foreign(path, "it was replaced while it was opened", shown(path));
}

/**
 * Writes a private file that does not exist yet; a leftover of a crash is
 * removed first.
 */
export function writeNew(path: string, text: string): void {
  try {
    Deno.removeSync(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
  Deno.writeTextFileSync(path, text, { createNew: true, mode: PRIVATE_FILE });
}

/** Throws unless the open `file` is the plain file at `path`. */
export async function refuseOther(
  path: string,
  file: Deno.FsFile,
): Promise<void> {
  const [opened, present] = [await file.stat(), lstat(path)];
  if (present === null || isSameFile(opened, present)) return;
  throw foreign(path, "it is a link", shown(path));
}

/**
 * Returns what is at `path`, at the end of its links; throws if it is not ours.
 */
function ownInfo(path: string, owner: Owner | null): Deno.FileInfo | null {
  const link = lstat(path);
  if (link === null || owner === null) return link;
  refuseOwner(path, link, owner);
  if (!link.isSymlink) return link;
  try {
    const info = Deno.statSync(path);
    refuseOwner(path, info, owner);
    return info;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return null;
    throw cause;
  }
}

function refuseOwner(
  path: string,
  { uid }: Deno.FileInfo,
  owner: Owner,
): void {
  // Root could do everything anyway.
  if (uid === null || uid === owner.uid || uid === ROOT) return;
  throw foreign(
    path,
    `it belongs to user ${uid}, and you are user ${owner.uid}`,
    (person) =>
      `${showFile(person, path)}   shows it; remove it, ` +
      "or name another place: TC_CONFIG",
  );
}

function lstat(path: string): Deno.FileInfo | null {
  try {
    return Deno.lstatSync(path);
  } catch (cause) {
    if (
      cause instanceof Deno.errors.NotFound ||
      cause instanceof Deno.errors.NotADirectory
    ) return null;
    // A file that cannot be seen cannot be used either, and its use reports the
    // error.
    if (cause instanceof Deno.errors.PermissionDenied) return null;
    throw cause;
  }
}

function tighten(path: string, mode: number): boolean {
  try {
    setMode(path, mode);
    return true;
  } catch {
    // Another owner, or a file system without modes.
    return false;
  }
}

function shown(path: string): Hint {
  return (person) => showFile(person, path);
}

function foreign(path: string, reason: string, hint: Hint): TcError {
  return new TcError(`Cannot use ${path}: ${reason}`, {
    code: "foreign_file",
    source: "user",
    exitCode: EXIT.noPermission,
    hint,
  });
}

/** Throws if the file at `path` or its folder is not ours. */
export function refuseForeignPlace(path: string): void {
  refuseForeign(folderOf(path));
  refuseForeignFile(path);
}
