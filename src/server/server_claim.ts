/**
 * One server per pool: a lock that the running one holds and that the system
 * frees however it ends, and a note beside it that names the holder.
 *
 * @module
 */

import { EXIT, reasonOf, TcError } from "../errors.ts";
import type { HeldLock, Journal } from "../ports.ts";
import { ensurePrivateFolder } from "../store/files/atomic.ts";
import { FileLocks } from "../store/files/lock.ts";
import { systemClock, systemEntropy } from "../system/clock.ts";
import { handoverMs } from "../config/settings.ts";
import type { StartOrder } from "./worker_protocol.ts";
import { join } from "node:path";
import process from "node:process";
import * as v from "valibot";
import { writeNew } from "../store/files/own_files.ts";

const NOTE_FILE = "server.json";

const NOTE = v.object({
  pid: v.number(),
  version: v.string(),
  origin: v.string(),
});

/** The server that holds a pool. */
type Holder = v.InferOutput<typeof NOTE>;

/**
 * Names `holder` as the server of the pool in `stateFolder`. It is synchronous,
 * so that nobody sees the lock of one server with the name of another. If the
 * folder cannot be written, only the name is missing.
 */
function writeHolder(stateFolder: string, holder: Holder): void {
  const file = join(stateFolder, NOTE_FILE);
  try {
    const fresh = `${file}.${holder.pid}`;
    writeNew(fresh, `${JSON.stringify(holder)}\n`);
    Deno.renameSync(fresh, file);
  } catch {
    // The next server reports that the pool is taken, but not by whom.
  }
}

/** Returns the server that last took the pool in `stateFolder`, or null. */
export function readHolder(stateFolder: string): Holder | null {
  try {
    const text = Deno.readTextFileSync(join(stateFolder, NOTE_FILE));
    const note = v.safeParse(NOTE, JSON.parse(text));
    return note.success ? note.output : null;
  } catch {
    return null;
  }
}

/** Returns the server of the pool if its process runs, or null. */
export function runningHolder(stateFolder: string): Holder | null {
  const holder = readHolder(stateFolder);
  return holder !== null && isAlive(holder.pid) ? holder : null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // It has ended, or belongs to another user.
    return false;
  }
}

/** Removes the note of `pid`, if it is still there. */
function removeHolder(stateFolder: string, pid: number): void {
  if (readHolder(stateFolder)?.pid !== pid) return;
  try {
    Deno.removeSync(join(stateFolder, NOTE_FILE));
  } catch {
    // The folder is gone or full; the lock is free anyway.
  }
}

/** Longest wait for the name of a server that has just taken the pool. */
const NAME_MS = 500;
const LOOK_MS = 20;

/** Time for the previous server to end, beyond its drain. */
const MARGIN_MS = 60_000;

/** The claim of one server on its pool. */
export interface ServerClaim {
  /** Notes the address that others are told when they find the pool taken. */
  servesAt(host: string, port: number): void;
  release(): void;
}

/** Throws TcError `already_running` where another server has the pool. */
export async function claimPool(
  { order, journal }: {
    readonly order: StartOrder;
    readonly journal: Journal;
  },
): Promise<ServerClaim> {
  const { stateFolder } = order.paths;
  const locks = new FileLocks(stateFolder, {
    clock: systemClock,
    entropy: systemEntropy,
  });
  if (order.takesOver) return claimLater(locks, order);
  try {
    await ensurePrivateFolder(stateFolder);
    const lock = await locks.acquire("server", { waitMs: 0 });
    const { host, port } = order.config.settings.proxy;
    const claim = claimOf(order, () => lock.release());
    claim.servesAt(host, port);
    return claim;
  } catch (cause) {
    if (cause instanceof TcError && cause.code === "lock_timeout") {
      throw alreadyThere(cause, await holderSoon(stateFolder));
    }
    // Without a writable state folder there is no history, but requests are
    // served.
    const reason = reasonOf(cause);
    journal.log("warn", "unclaimed", { reason });
    return { servesAt: () => {}, release: () => {} };
  }
}

/** Returns a claim that names its holder. */
function claimOf(
  { paths: { stateFolder }, pid, version }: StartOrder,
  release: () => void,
): ServerClaim {
  return {
    servesAt: (host, port) => {
      const origin = `http://${host}:${port}`;
      writeHolder(stateFolder, { pid, version, origin });
    },
    release: () => {
      removeHolder(stateFolder, pid);
      release();
    },
  };
}

/**
 * Waits for the claim in the background: the previous server holds it until it
 * has drained.
 */
function claimLater(locks: FileLocks, order: StartOrder): ServerClaim {
  const stop = new AbortController();
  let held: HeldLock | null = null;
  const waitMs = handoverMs(order.config.settings) + MARGIN_MS;
  locks.acquire("server", { waitMs, signal: stop.signal }).then((lock) => {
    if (stop.signal.aborted) lock.release();
    else held = lock;
  }, () => {
    // It was released before, or the old server outlives its deadline.
  });
  return claimOf(order, () => {
    stop.abort();
    held?.release();
  });
}

/**
 * Returns the server that has the lock. Between taking it and writing its name, a
 * busy machine may leave it standing for a while.
 */
async function holderSoon(stateFolder: string): Promise<Holder | null> {
  for (let waitedMs = 0; waitedMs < NAME_MS; waitedMs += LOOK_MS) {
    const holder = runningHolder(stateFolder);
    if (holder !== null) return holder;
    await systemClock.sleep(LOOK_MS);
  }
  return readHolder(stateFolder);
}

function alreadyThere(cause: TcError, holder: Holder | null): TcError {
  const who = holder === null
    ? "a server of this pool runs already"
    : `tc ${holder.version} (pid ${holder.pid}) serves this pool already ` +
      `on ${holder.origin}`;
  return new TcError(`Cannot start: ${who}`, {
    code: "already_running",
    source: "user",
    exitCode: EXIT.alreadyRunning,
    hint: "tc status    shows it\ntc restart   replaces it",
    cause,
  });
}
