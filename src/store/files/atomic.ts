/**
 * Files that matter: replaced whole or not at all, private, and durable when
 * the call returns. The caller holds a lock on the file (`lock.ts`).
 *
 * @module
 */

import { TcError } from "../../errors.ts";
import { fileError, folderOf, systemCode } from "./file_target.ts";
import { pastHolders } from "./held_file.ts";
import { refuseForeign, refuseOther } from "./own_files.ts";

const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;
const MODE_BITS = 0o777;
const LOOSE_BITS = 0o077;
/** A pending content that is older was left by a crash. */
const RIVAL_MS_MAX = 10_000;
const RIVAL_PAUSE_MS = 10;

/** What has been done of a write, in this order. */
export type WriteStep =
  | "opened"
  | "written"
  | "synced"
  | "renamed"
  | "folder_synced";

/** Told after each step; what it throws fails the write. */
export type StepObserver = (step: WriteStep) => void | Promise<void>;

export interface WriteOptions {
  readonly onStep?: StepObserver | undefined;
  /**
   * Asked without a pause before the rename; false leaves the file as it is.
   * It may not be asynchronous, or the file could change meanwhile.
   */
  readonly confirm?: () => boolean;
  /**
   * Other processes write the file without a lock: what one of them has not
   * renamed yet is waited for, and not taken for a rest.
   */
  readonly hasRivals?: boolean;
  /**
   * A file that is mounted by itself cannot be renamed over, and its folder may
   * not be writable: its content is then written in place, as Claude Code does
   * (facts, 10.5).
   */
  readonly mayWriteInPlace?: boolean;
  /** Who may read the new content; its owner alone where nothing is said. */
  readonly mode?: number | undefined;
}

/**
 * Where the next content of `target` stands until it is renamed. One name per
 * file, so that a crash leaves one rest at most and the next writer finds it.
 */
export function pendingPath(target: string): string {
  return `${target}.next`;
}

/** Makes `folder` if it is missing and takes it from everybody but its owner. */
export async function ensurePrivateFolder(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true, mode: PRIVATE_FOLDER });
    refuseForeign(folder);
    const { mode } = await Deno.stat(folder);
    const isExact = mode === null || (mode & MODE_BITS) === PRIVATE_FOLDER;
    if (!isExact && Deno.build.os !== "windows") {
      await Deno.chmod(folder, PRIVATE_FOLDER);
    }
  } catch (error) {
    throw fileError(`make the folder ${folder} private`, error);
  }
}

/** Takes a file from everybody but its owner; a missing one is fine. */
export async function tightenFile(path: string): Promise<void> {
  try {
    const { mode } = await Deno.stat(path);
    if (isLoose(mode)) await Deno.chmod(path, PRIVATE_FILE);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw fileError(`make ${path} private`, error);
  }
}

function isLoose(mode: number | null): boolean {
  return mode !== null && Deno.build.os !== "windows" &&
    (mode & LOOSE_BITS) !== 0;
}

/** The bytes of `path`, or null when there is no such file. */
export async function readIfThere(
  path: string,
): Promise<Uint8Array<ArrayBuffer> | null> {
  try {
    // A pipe in its place would be waited for.
    const { isFile, isDirectory } = await Deno.stat(path);
    if (!isFile && !isDirectory) {
      throw new TcError(`Cannot read ${path}: it is no file`, {
        code: "no_file",
        hint: `ls -l ${path}   shows what it is; move it away`,
      });
    }
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw fileError(`read ${path}`, error);
  }
}

/** Removes `path`; false when there was none. */
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
 * whatever the umask; makes it where it is missing.
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
    // Before anything is written: what is open may be the end of a link.
    await refuseOther(path, file);
    if (Deno.build.os !== "windows") await Deno.chmod(path, mode);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * Replaces `target` by `bytes`: a private file beside it, synced, renamed over
 * it, folder synced. Whatever fails, the old content stays and no rest of the
 * new one is left. False when `confirm` refused.
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
    // Asked before each try: while a scanner held the file, others wrote it.
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
        // The first error tells more than one about its rest.
      });
    }
    throw fileError(`write ${target}`, error);
  }
  await options.onStep?.("renamed");
  await syncFolder(folderOf(target));
  await options.onStep?.("folder_synced");
  return true;
}

/** What the system says to a rename over a mount, or in a read-only folder. */
const MOUNTED = ["EBUSY", "EROFS", "EACCES", "EXDEV"];

function isMounted(error: unknown, options: WriteOptions): boolean {
  return options.mayWriteInPlace === true &&
    MOUNTED.includes(systemCode(error) ?? "");
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isFile, () => false);
}

/**
 * Writes `bytes` over the content of `target`. The whole new content stands
 * beside it until then where the folder could be written, for a crash between.
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
        // It is a rest of ours: the next writer clears it.
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

/** How long ago `path` was written; 0 where there is none. */
async function ageMs(path: string): Promise<number> {
  const written = await Deno.stat(path).then(({ mtime }) => mtime, () => null);
  return written === null ? 0 : Date.now() - written.getTime();
}

/** Writes `bytes` and closes: Windows renames no file that is open. */
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

/** Renames `pending` over `target`; starts to do so before it first pauses. */
export async function renameOver(
  pending: string,
  target: string,
): Promise<void> {
  await pastHolders(() => Deno.renameSync(pending, target));
}

/** Makes a rename or removal in `folder` durable, where the system can. */
export async function syncFolder(folder: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  try {
    using file = await Deno.open(folder, { read: true });
    await file.sync();
  } catch {
    // The new content is in place and readable. Some file systems cannot sync
    // a folder, and to fail here would call a saved token lost.
  }
}
