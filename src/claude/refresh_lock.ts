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
const PAUSE_MS = 100;

/** Waits at most `waitMs` for the lock of the config folder `folder`. */
export async function lockRefresh(
  folder: string,
  clock: Clock,
  waitMs: number,
): Promise<HeldLock> {
  const path = join(folder, NAME);
  const deadlineMs = clock.monotonicMs() + waitMs;
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
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
  return held(path);
}

async function take(path: string, clock: Clock): Promise<boolean> {
  try {
    await Deno.mkdir(path);
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
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

function held(path: string): HeldLock {
  let isHeld = true;
  function release(): void {
    if (!isHeld) return;
    isHeld = false;
    try {
      Deno.removeSync(path, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return { release, [Symbol.dispose]: release };
}
