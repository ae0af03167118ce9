/**
 * The temporary folder of a demo. It is removed when the process ends, however
 * that happens. A lock in it shows that its demo is alive; the next demo
 * removes the folder of one that was killed outright.
 *
 * @module
 */

import { join } from "node:path";

const PREFIX = "tc-demo-";
const LOCK = "alive.lock";
/** A demo that is just starting may not have its lock yet. */
const YOUNG_MS = 10_000;
/**
 * Tries to remove the folder: a write under way at the end makes one fail for a
 * moment.
 */
const REMOVE_TRIES = 50;
const REMOVE_PAUSE_MS = 10;

export class DemoFolder implements Disposable {
  readonly path: string;
  readonly #lock: Deno.FsFile;
  readonly #remove = () => this[Symbol.dispose]();
  #isGone = false;

  private constructor(path: string, lock: Deno.FsFile) {
    this.path = path;
    this.#lock = lock;
    // Before the process ends, by Deno.exit or by an unhandled error.
    for (const event of ENDS) addEventListener(event, this.#remove);
  }

  /** Makes a folder, and removes the folders of dead demos. */
  static make(): DemoFolder {
    // Synchronous: a signal in between would leave the folder behind.
    const path = Deno.makeTempDirSync({ prefix: PREFIX });
    const file = join(path, LOCK);
    const lock = Deno.openSync(file, { create: true, write: true });
    lock.tryLockSync(true);
    const folder = new DemoFolder(path, lock);
    removeDead(join(path, ".."));
    return folder;
  }

  [Symbol.dispose](): void {
    if (this.#isGone) return;
    this.#isGone = true;
    for (const event of ENDS) removeEventListener(event, this.#remove);
    this.#lock.close();
    removeAtEnd(this.path);
  }
}

const ENDS = ["unload", "error", "unhandledrejection"] as const;

function removeDead(parent: string): void {
  try {
    for (const { name, isDirectory } of Deno.readDirSync(parent)) {
      const path = join(parent, name);
      if (isDirectory && name.startsWith(PREFIX) && isDead(path)) remove(path);
    }
  } catch {
    // A folder that cannot be listed is left to the system.
  }
}

/** Returns whether the folder's demo has ended without removing it. */
function isDead(path: string): boolean {
  try {
    const file = join(path, LOCK);
    const ageMs = Date.now() - (Deno.statSync(file).mtime?.getTime() ?? 0);
    if (ageMs < YOUNG_MS) return false;
    using lock = Deno.openSync(file, { write: true });
    return lock.tryLockSync(true);
  } catch {
    // Another user's folder, or one that is just being made.
    return false;
  }
}

/** Synchronous, because the process ends when its last listener returns. */
function removeAtEnd(path: string): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let tries = 1; !remove(path) && tries < REMOVE_TRIES; tries++) {
    Atomics.wait(pause, 0, 0, REMOVE_PAUSE_MS);
  }
}

/**
 * Returns whether the folder is gone; one that remains is left to the system.
 */
function remove(path: string): boolean {
  try {
    Deno.removeSync(path, { recursive: true });
    return true;
  } catch (cause) {
    return cause instanceof Deno.errors.NotFound;
  }
}
