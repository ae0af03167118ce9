/**
 * The lock that Claude Code holds while it renews its login. Whoever else
 * writes the login takes it too, so that no renewal ends in between.
 *
 * @module
 */

import { join } from "node:path";
import { EXIT, TcError } from "../errors.ts";
import type { Clock, HeldLock } from "../ports.ts";

/** The folder that is the lock: made by its holder (claude-code 2.1.329). */
const NAME = ".oauth_refresh.lock";
/** Its holder touches it every 5 s; one that is older was left by a crash. */
const STALE_MS = 60_000;
const TOUCH_MS = 5_000;
const PAUSE_MS = 100;

/** Waits at most `waitMs` for the lock of the config folder `folder`. */
export async function lockRefresh(
  folder: string,
  clock: Clock,
  waitMs: number,
): Promise<HeldLock> {
  const path = join(folder, NAME);
  const deadlineMs = clock.monotonicMs() + waitMs;
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 }).catch((cause) => {
    throw refused(folder, cause);
  });
  while (!await take(path, clock)) {
    if (clock.monotonicMs() >= deadlineMs) {
      throw new TcError(
        "Cannot change Claude Code's login: it is being renewed",
        {
          code: "lock_timeout",
          exitCode: EXIT.tryLater,
          hint: "Try again in a moment",
        },
      );
    }
    await clock.sleep(PAUSE_MS);
  }
  return held(path, clock);
}

async function take(path: string, clock: Clock): Promise<boolean> {
  try {
    await Deno.mkdir(path);
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      throw refused(path, error);
    }
  }
  const touchedAt = await Deno.stat(path).then(
    ({ mtime }) => mtime?.getTime() ?? null,
    () => null,
  );
  if (touchedAt !== null && clock.now() - touchedAt > STALE_MS) {
    await Deno.remove(path, { recursive: true }).catch(() => {
      // Another one was faster to clear it.
    });
  }
  return false;
}

function refused(path: string, cause: unknown): TcError {
  const isDenied = cause instanceof Deno.errors.PermissionDenied;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new TcError(`Cannot lock Claude Code's login by ${path}: ${reason}`, {
    code: isDenied ? "no_permission" : "cannot_lock",
    exitCode: isDenied ? EXIT.noPermission : EXIT.cannotWrite,
    hint: "Check who owns the folder, and whether it can be written",
    cause,
  });
}

function held(path: string, clock: Clock): HeldLock {
  const stop = new AbortController();
  let touchedAt = touch(path, clock);
  async function keepFresh(): Promise<void> {
    for (;;) {
      await clock.sleep(TOUCH_MS, stop.signal);
      if (isOurs(path, touchedAt)) touchedAt = touch(path, clock);
    }
  }
  keepFresh().catch(() => {
    // Released: that ends the sleep.
  });
  function release(): void {
    if (stop.signal.aborted) return;
    stop.abort();
    if (!isOurs(path, touchedAt)) return;
    try {
      Deno.removeSync(path, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return { release, [Symbol.dispose]: release };
}

/** The time that was written, in milliseconds; null where it could not be. */
function touch(path: string, clock: Clock): number | null {
  const now = clock.now();
  try {
    Deno.utimeSync(path, now / 1_000, now / 1_000);
    return now;
  } catch {
    // Some file systems take no times: the lock lives for a minute then.
    return null;
  }
}

/** False where another one took it for a dead one's after a long sleep. */
function isOurs(path: string, touchedAt: number | null): boolean {
  if (touchedAt === null) return true;
  try {
    const { mtime } = Deno.statSync(path);
    return Math.abs((mtime?.getTime() ?? touchedAt) - touchedAt) < TOUCH_MS;
  } catch {
    return false;
  }
}
