/**
 * The lock that Claude Code holds while it renews its login. Every other
 * program that writes the login takes it too, so that no renewal ends in
 * between.
 *
 * @module
 */

import { join } from "node:path";
import { EXIT, reasonOf, TcError } from "../../errors.ts";
import type { Clock, HeldLock } from "../../ports.ts";
import { isGone, ownMark } from "../sessions/process_life.ts";

/**
 * The folder that serves as the lock: its holder makes it (claude-code
 * 2.1.329).
 */
const NAME = ".oauth_refresh.lock";
/** The holder touches the lock every 5 s; an older one was left by a crash. */
const STALE_MS = 60_000;
/** Claude Code waits for a lock that is touched each second (facts, 10.4). */
const TOUCH_MS = 1_000;
/**
 * A lock that is touched within this time has a holder, whatever the clock
 * says.
 */
const WATCH_MS = 6_000;
/** File times may be coarse. */
const TOUCH_TOLERANCE_MS = 5_000;
const PAUSE_MS = 100;

/** Takes the lock of the config folder `folder`; waits `waitMs` at most. */
export async function lockRefresh(
  folder: string,
  clock: Clock,
  waitMs: number,
): Promise<HeldLock> {
  const path = join(folder, NAME);
  const watch = new LockWatch(path, clock);
  const deadlineMs = clock.monotonicMs() + waitMs;
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 }).catch((cause) => {
    throw refused(folder, cause);
  });
  while (!take(path, watch)) {
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

/** Tells a lock left by a crash from one whose holder lives. */
class LockWatch {
  readonly #path: string;
  readonly #clock: Clock;
  #seen: { readonly touchedAt: number; readonly sinceMs: number } | null = null;

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  /**
   * Returns the mark of the lock if its holder is gone, else null. The holder
   * is gone if it was a tc that noted itself and has died, or if the lock is
   * old by the clock and was not touched while we watched; the clock alone may
   * have been set forward.
   */
  abandoned(): string | null {
    const lock = lockNow(this.#path);
    if (lock === null) return null;
    const nowMs = this.#clock.monotonicMs();
    if (this.#seen?.touchedAt !== lock.touchedAt) {
      this.#seen = { touchedAt: lock.touchedAt, sinceMs: nowMs };
    }
    const isOld = this.#clock.now() - lock.touchedAt > STALE_MS &&
      nowMs - this.#seen.sinceMs >= WATCH_MS;
    // The next folder may get the same number.
    const isLeft = lock.isMarkSure && isOfTheDead(this.#path, lock.mark);
    return isOld || isLeft ? lock.mark : null;
  }
}

interface LockNow {
  readonly touchedAt: number;
  /** Tells the folder from a later one of the same name. */
  readonly mark: string;
  /** False if the file system does not say when a folder was made. */
  readonly isMarkSure: boolean;
}

function lockNow(path: string): LockNow | null {
  try {
    const { mtime, ino, birthtime } = Deno.statSync(path);
    return {
      touchedAt: mtime?.getTime() ?? 0,
      mark: `${ino ?? 0} ${birthtime?.getTime() ?? 0}`,
      isMarkSure: birthtime !== null,
    };
  } catch {
    // It was released a moment ago.
    return null;
  }
}

/** Returns where a tc notes that it holds the lock. */
function notePath(path: string): string {
  return `${path}.tc`;
}

/** Returns whether the lock marked `mark` belongs to a tc that has died. */
function isOfTheDead(path: string, mark: string): boolean {
  try {
    const note = JSON.parse(Deno.readTextFileSync(notePath(path)));
    return note.lock === mark && isGone(note.holder);
  } catch {
    // No note: another program holds it.
    return false;
  }
}

function noteHolder(path: string): void {
  const lock = lockNow(path);
  if (lock === null) return;
  try {
    Deno.writeTextFileSync(
      notePath(path),
      JSON.stringify({ lock: lock.mark, holder: ownMark() }),
      { mode: 0o600 },
    );
  } catch {
    // Without the note, a crash leaves the lock for a minute.
  }
}

function take(path: string, watch: LockWatch): boolean {
  try {
    Deno.mkdirSync(path);
    noteHolder(path);
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      throw refused(path, error);
    }
  }
  const mark = watch.abandoned();
  if (mark !== null) clear(path, mark);
  return false;
}

/** Removes the lock marked `mark`, and no other that has replaced it. */
function clear(path: string, mark: string): void {
  const aside = `${path}.${crypto.randomUUID()}`;
  try {
    Deno.renameSync(path, aside);
    if (lockNow(aside)?.mark === mark) {
      Deno.removeSync(aside, { recursive: true });
    } else Deno.renameSync(aside, path);
  } catch {
    // Another process cleared it first.
  }
}

function refused(path: string, cause: unknown): TcError {
  const isDenied = cause instanceof Deno.errors.PermissionDenied;
  const reason = reasonOf(cause);
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
    // The lock was released, which ends the sleep.
  });
  function release(): void {
    if (stop.signal.aborted) return;
    stop.abort();
    if (!isOurs(path, touchedAt)) return;
    // The note goes first: after the lock, it could be the next holder's.
    for (const one of [notePath(path), path]) {
      try {
        Deno.removeSync(one, { recursive: true });
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
  }
  return { release, [Symbol.dispose]: release };
}

/**
 * Touches the lock and returns the time written, in ms; null if it could not
 * be.
 */
function touch(path: string, clock: Clock): number | null {
  const now = clock.now();
  try {
    Deno.utimeSync(path, now / 1_000, now / 1_000);
    return now;
  } catch {
    // Some file systems accept no times: the lock then expires after a minute.
    return null;
  }
}

/**
 * Returns false if another process took it over after a long sleep of this one.
 */
function isOurs(path: string, touchedAt: number | null): boolean {
  if (touchedAt === null) return true;
  try {
    const { mtime } = Deno.statSync(path);
    return Math.abs((mtime?.getTime() ?? touchedAt) - touchedAt) <
      TOUCH_TOLERANCE_MS;
  } catch {
    return false;
  }
}
