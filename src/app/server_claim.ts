/**
 * One server a pool: a lock that the running one holds, and that falls free
 * however it ends.
 *
 * @module
 */

import { EXIT, TcError } from "../errors.ts";
import type { HeldLock, Journal } from "../ports.ts";
import { ensurePrivateFolder } from "../store/atomic.ts";
import { FileLocks } from "../store/lock.ts";
import { systemClock, systemEntropy } from "./clock.ts";
import { handoverMs } from "./settings.ts";
import type { StartOrder } from "./worker_protocol.ts";

/** For the server before this one to end, beyond its drain. */
const MARGIN_MS = 60_000;

/** The claim of one server on its pool. */
export interface ServerClaim {
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
    return await locks.acquire("server", { waitMs: 0 });
  } catch (cause) {
    if (cause instanceof TcError && cause.code === "lock_timeout") {
      throw alreadyThere(cause);
    }
    // A state folder that cannot be written costs history, not service.
    const reason = cause instanceof Error ? cause.message : String(cause);
    journal.log("warn", "unclaimed", { reason });
    return { release: () => {} };
  }
}

/** The server before this one holds the claim until it has drained. */
function claimLater(locks: FileLocks, { config }: StartOrder): ServerClaim {
  const stop = new AbortController();
  let held: HeldLock | null = null;
  const waitMs = handoverMs(config.settings) + MARGIN_MS;
  locks.acquire("server", { waitMs, signal: stop.signal }).then((lock) => {
    if (stop.signal.aborted) lock.release();
    else held = lock;
  }, () => {
    // Released before, or the old server outlives its own deadline.
  });
  return {
    release: () => {
      stop.abort();
      held?.release();
    },
  };
}

function alreadyThere(cause: TcError): TcError {
  return new TcError("Cannot start: a server of this pool runs already", {
    code: "already_running",
    source: "user",
    exitCode: EXIT.alreadyRunning,
    hint: "tc status    shows it\ntc restart   replaces it",
    cause,
  });
}
