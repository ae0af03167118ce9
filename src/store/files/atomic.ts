/**
 * Writes files that matter: replaced whole or not at all, private, and durable
 * when the call returns. The caller holds a lock on the file (`lock.ts`).
 *
 * @module
 */

import { TcError } from "../../errors.ts";
import { fileError, folderOf, systemCode } from "./file_target.ts";
import { pastHolders } from "./held_file.ts";
import { refuseForeign, refuseOther } from "./own_files.ts";
import { grants, setMode } from "./file_modes.ts";
import { showFile } from "../../shell_words.ts";

const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;
const LOOSE_BITS = 0o077;
/** Pending content older than this was left by a crash. */
const RIVAL_MS_MAX = 10_000;
const RIVAL_PAUSE_MS = 10;

/** The steps of a write, in order. */
export type WriteStep =
  | "opened"
  | "written"
  | "synced"
  | "renamed"
  | "folder_synced";

/** Called after each step; an error that it throws fails the write. */
export type StepObserver = (step: WriteStep) => void | Promise<void>;

interface WriteOptions {
  readonly onStep?: StepObserver | undefined;
  /**
   * Called synchronously before the rename; false leaves the file as it is. It
   * must not be asynchronous, or the file could change meanwhile.
   */
  readonly confirm?: () => boolean;
  /**
   * Whether other processes write the file without a lock. Pending content of
   * theirs is then waited for, and not removed as a leftover.
   */
  readonly hasRivals?: boolean;
  /**
   * Whether the content may be written in place: a file that is a mount point
   * cannot be renamed over, and its folder may not be writable. Claude Code
   * does the same (facts, 10.5).
   */
  readonly mayWriteInPlace?: boolean;
  /** Mode of the new file; by default only its owner may read it. */
  readonly mode?: number | undefined;
}

/**
 * Returns where the next content of `target` is until it is renamed. One name
 * per file, so that a crash leaves at most one leftover and the next writer
 * finds it.
 */
export function pendingPath(target: string): string {
  return `${target}.next`;
}

/** Makes `folder` if it is missing, and removes all access but its owner's. */
export async function ensurePrivateFolder(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true, mode: PRIVATE_FOLDER });
    refuseForeign(folder);
    const { mode } = await Deno.stat(folder);
    const isExact = mode === null || (mode & 0o777) === PRIVATE_FOLDER;
    if (!isExact) setMode(folder, PRIVATE_FOLDER);
  } catch (error) {
    throw fileError(`make the folder ${folder} private`, error);
  }
}

/** Removes all access to a file but its owner's; a missing file is fine. */
export async function tightenFile(path: string): Promise<void> {
  try {
    const { mode } = await Deno.stat(path);
    if (grants(mode, LOOSE_BITS)) setMode(path, PRIVATE_FILE);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw fileError(`make ${path} private`, error);
  }
}

/** Returns the bytes of `path`, or null if there is no such file. */
export async function readIfThere(
  path: string,
): Promise<Uint8Array<ArrayBuffer> | null> {
  try {
    // Reading a pipe in its place would wait for ever.
    const { isFile, isDirectory } = await Deno.stat(path);
    if (!isFile && !isDirectory) {
      throw new TcError(`Cannot read ${path}: it is not a regular file`, {
        code: "no_file",
        hint: (person) =>
          `${showFile(person, path)}   shows what it is; move it away`,
      });
    }
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw fileError(`read ${path}`, error);
  }
}

/** Removes `path`; returns false if there was none. */
export async function removeIfThere(path: string): Promise<boolean> {
  try {
    await pastHolders(() => Deno.removeSync(path));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw fileError(`remove ${path}`, error);
  }
}

/**
 * Opens `path` for reading and writing with the mode of a private file,
 * whatever the umask, and makes it if it is missing.
 */
export async function openPrivate(
  path: string,
  create: "new" | "or_existing",
): Promise<Deno.FsFile> {
  return await openWith(path, create, PRIVATE_FILE);
}

async function openWith(
  path: string,
  create: "new" | "or_existing",
  mode: number,
): Promise<Deno.FsFile> {
  const file = await Deno.open(path, {
    read: true,
    write: true,
    create: true,
    createNew: create === "new",
    mode,
  });
  try {
    // Checked before anything is written, because the open file may be the
    // target of a link.
    await refuseOther(path, file);
    setMode(path, mode);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * Replaces `target` by `bytes`: a private file beside it is synced and renamed
 * over it, and the folder is synced. If anything fails, the old content stays
 * and no leftover remains. Returns false if `confirm` refused.
 */
export async function writeAtomic(
  target: string,
  bytes: Uint8Array,
  options: WriteOptions = {},
): Promise<boolean> {
  const pending = pendingPath(target);
  let isOurs = options.hasRivals !== true;
  try {
    const file = await openPending(pending, options);
    isOurs = true;
    await fill(file, bytes, options.onStep);
    // Checked before each try: others may write the file while a scanner holds
    // it.
    const isConfirmed = await pastHolders(() => {
      if (options.confirm !== undefined && !options.confirm()) return false;
      Deno.renameSync(pending, target);
      return true;
    });
    if (!isConfirmed) {
      await removeIfThere(pending);
      return false;
    }
  } catch (error) {
    if (isMounted(error, options) && await isFile(target)) {
      return await writeInPlace(target, bytes, { ...options, hasNext: isOurs });
    }
    if (isOurs) {
      await removeIfThere(pending).catch(() => {
        // The first error says more than an error about the leftover.
      });
    }
    throw fileError(`write ${target}`, error);
  }
  await options.onStep?.("renamed");
  await syncFolder(folderOf(target));
  await options.onStep?.("folder_synced");
  return true;
}

/**
 * The system's codes for a rename over a mount point or in a read-only folder.
 */
const MOUNTED = ["EBUSY", "EROFS", "EACCES", "EXDEV"];

function isMounted(error: unknown, options: WriteOptions): boolean {
  return options.mayWriteInPlace === true &&
    MOUNTED.includes(systemCode(error) ?? "");
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isFile, () => false);
}

/**
 * Writes `bytes` over the content of `target`. If the folder is writable, the
 * whole new content is beside it until then, in case of a crash.
 */
async function writeInPlace(
  target: string,
  bytes: Uint8Array,
  { confirm, onStep, hasNext }: WriteOptions & { readonly hasNext: boolean },
): Promise<boolean> {
  const pending = pendingPath(target);
  try {
    if (confirm !== undefined && !confirm()) return false;
    using file = await Deno.open(target, { write: true });
    for (let done = 0; done < bytes.length;) {
      done += await file.write(bytes.subarray(done));
    }
    await file.truncate(bytes.length);
    await file.sync();
    await onStep?.("renamed");
    return true;
  } catch (error) {
    throw fileError(`write ${target}`, error);
  } finally {
    if (hasNext) {
      await removeIfThere(pending).catch(() => {
        // This leftover is ours: the next writer removes it.
      });
    }
  }
}

async function openPending(
  pending: string,
  { hasRivals = false, mode = PRIVATE_FILE }: WriteOptions,
): Promise<Deno.FsFile> {
  const endMs = performance.now() + RIVAL_MS_MAX;
  for (;;) {
    const isRest = !hasRivals || performance.now() > endMs ||
      await ageMs(pending) > RIVAL_MS_MAX;
    if (isRest) await removeIfThere(pending);
    try {
      return await openWith(pending, "new", mode);
    } catch (error) {
      if (!hasRivals || !(error instanceof Deno.errors.AlreadyExists)) {
        throw error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, RIVAL_PAUSE_MS));
  }
}

/** Returns how long ago `path` was written; 0 if there is none. */
async function ageMs(path: string): Promise<number> {
  const written = await Deno.stat(path).then(({ mtime }) => mtime, () => null);
  return written === null ? 0 : Date.now() - written.getTime();
}

/** Writes `bytes` and closes the file, because Windows renames no open file. */
async function fill(
  opened: Deno.FsFile,
  bytes: Uint8Array,
  onStep?: StepObserver,
): Promise<void> {
  using file = opened;
  await onStep?.("opened");
  for (let done = 0; done < bytes.length;) {
    done += await file.write(bytes.subarray(done));
  }
  await onStep?.("written");
  await file.sync();
  await onStep?.("synced");
}

/** Renames `pending` over `target`. The first try happens before any pause. */
export async function renameOver(
  pending: string,
  target: string,
): Promise<void> {
  await pastHolders(() => Deno.renameSync(pending, target));
}

/** Makes a rename or removal in `folder` durable, if the system can. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    using file = await Deno.open(folder, { read: true });
    await file.sync();
  } catch {
    // The new content is in place and readable. Windows and some file systems
    // cannot sync a folder, and an error here would call a saved token lost.
  }
}
