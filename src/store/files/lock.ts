/**
 * Locks across processes: the system's advisory lock on an empty file, which is
 * freed when its holder dies, however it dies.
 *
 * @module
 */

import { EXIT, TcError } from "../../errors.ts";
import type { Clock, Entropy, HeldLock, Locks } from "../../ports.ts";
import { openPrivate } from "./atomic.ts";
import { fileError, systemCode } from "./file_target.ts";

const POLL_FIRST_MS = 2;
const POLL_MAX_MS = 50;

export interface LockPorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
}

interface Wait {
  readonly waitMs: number;
  readonly signal?: AbortSignal;
}

interface Deadline {
  readonly atMs: number;
  readonly signal: AbortSignal | undefined;
}

/** Locks named after the files `<name>.lock` of one folder. */
export class FileLocks implements Locks {
  readonly #folder: string;
  readonly #ports: LockPorts;
  /** For each name, the last one in this process's queue. */
  readonly #queues = new Map<string, Promise<void>>();

  constructor(folder: string, ports: LockPorts) {
    this.#folder = folder;
    this.#ports = ports;
  }

  /**
   * Waits for its turn in this process, then for other processes, `waitMs` in
   * all. Rejects with code `lock_timeout` or the signal's reason.
   */
  async acquire(name: string, wait: Wait): Promise<HeldLock> {
    const deadline = {
      atMs: this.#ports.clock.monotonicMs() + wait.waitMs,
      signal: wait.signal,
    };
    const before = this.#queues.get(name) ?? null;
    const done = this.#enqueue(name, before);
    try {
      if (before !== null) await this.#turn(name, before, deadline);
      const file = await this.#open(name);
      try {
        await this.#lock(name, file, deadline);
      } catch (error) {
        file.close();
        throw error;
      }
      return new HeldFileLock(file, done);
    } catch (error) {
      done();
      throw error;
    }
  }

  #enqueue(name: string, before: Promise<void> | null): () => void {
    const mine = Promise.withResolvers<void>();
    const last = (before ?? Promise.resolve()).then(() => mine.promise);
    this.#queues.set(name, last);
    last.then(() => {
      if (this.#queues.get(name) === last) this.#queues.delete(name);
    });
    return mine.resolve;
  }

  async #turn(
    name: string,
    before: Promise<void>,
    { atMs, signal }: Deadline,
  ): Promise<void> {
    signal?.throwIfAborted();
    const { clock } = this.#ports;
    const stop = new AbortController();
    const late = clock.sleep(
      Math.max(0, atMs - clock.monotonicMs()),
      signal === undefined
        ? stop.signal
        : AbortSignal.any([stop.signal, signal]),
    ).then(() => true);
    try {
      const isLate = await Promise.race([before.then(() => false), late]);
      if (isLate) throw timedOut(name);
    } finally {
      stop.abort();
      await late.catch(() => {
        // Stopping the timer rejects it.
      });
    }
  }

  async #open(name: string): Promise<Deno.FsFile> {
    const path = `${this.#folder}/${name}.lock`;
    try {
      return await openPrivate(path, "or_existing");
    } catch (error) {
      if (error instanceof TcError) throw error;
      // A file that cannot be written can still be locked: a full or read-only
      // disk must not let two processes spend one token.
      const file = await Deno.open(path, { read: true }).catch(() => null);
      if (file !== null) return file;
      throw fileError(`lock ${path}`, error);
    }
  }

  async #lock(
    name: string,
    file: Deno.FsFile,
    { atMs, signal }: Deadline,
  ): Promise<void> {
    const { clock, entropy } = this.#ports;
    for (let pauseMs = POLL_FIRST_MS;;) {
      signal?.throwIfAborted();
      if (await tryLock(file)) return;
      const leftMs = atMs - clock.monotonicMs();
      if (leftMs <= 0) throw timedOut(name);
      const jitteredMs = pauseMs * (0.5 + entropy.random());
      await clock.sleep(Math.min(leftMs, jitteredMs), signal);
      pauseMs = Math.min(pauseMs * 2, POLL_MAX_MS);
    }
  }
}

async function tryLock(file: Deno.FsFile): Promise<boolean> {
  try {
    return await file.tryLock(true);
  } catch (error) {
    // Windows reports a lock held by another process as an error.
    if (systemCode(error) === "EACCES") return false;
    throw fileError("lock a file", error);
  }
}

function timedOut(name: string): TcError {
  return new TcError(`Cannot lock ${name}: another process holds it`, {
    code: "lock_timeout",
    exitCode: EXIT.tryLater,
    hint: "Try again in a moment",
  });
}

class HeldFileLock implements HeldLock {
  #file: Deno.FsFile | null;
  readonly #done: () => void;

  constructor(file: Deno.FsFile, done: () => void) {
    this.#file = file;
    this.#done = done;
  }

  release(): void {
    // Closing the file frees the system's lock.
    this.#file?.close();
    this.#file = null;
    this.#done();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
