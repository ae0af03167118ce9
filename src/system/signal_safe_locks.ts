/**
 * Locks that hold back a signal to end this process until the lock is released:
 * a refresh token that is being spent must have its successor on disk first.
 *
 * @module
 */

import type { HeldLock, Locks } from "../ports.ts";
import type { System } from "../variables.ts";
import { knownSignals } from "../signals.ts";

type Ending = "SIGINT" | "SIGTERM" | "SIGHUP";

/** Exit codes as shells have them: 128 and the signal's number. */
const EXIT_CODES: Readonly<Record<Ending, number>> = {
  SIGINT: 130,
  SIGTERM: 143,
  SIGHUP: 129,
};

interface SignalSafeOptions {
  readonly locks: Locks;
  readonly system: System;
  /** The signals to hold back; the shell of a hook ignores the others already. */
  readonly signals: readonly Ending[];
  /** A lock under which nothing is lost when the process ends. */
  readonly except: string;
  readonly say: (words: string) => void;
}

export class SignalSafeLocks implements Locks {
  readonly #options: SignalSafeOptions;
  readonly #listeners: readonly (readonly [Ending, () => void])[];
  #held = 0;
  /** The exit code to end with when the last lock is released, or null. */
  #due: number | null = null;

  constructor(options: SignalSafeOptions) {
    this.#options = options;
    const { signals } = options;
    this.#listeners = knownSignals(signals, options.system).map((signal) =>
      [signal, () => this.#asked(EXIT_CODES[signal])] as const
    );
  }

  async acquire(
    name: string,
    wait: Parameters<Locks["acquire"]>[1],
  ): Promise<HeldLock> {
    const lock = await this.#options.locks.acquire(name, wait);
    if (name === this.#options.except) return lock;
    this.#begin();
    let isHeld = true;
    const release = (): void => {
      if (!isHeld) return;
      isHeld = false;
      lock.release();
      this.#end();
    };
    return { release, [Symbol.dispose]: release };
  }

  #begin(): void {
    if (this.#held++ > 0) return;
    for (const [signal, listener] of this.#listeners) {
      Deno.addSignalListener(signal, listener);
    }
  }

  #end(): void {
    if (--this.#held > 0) return;
    for (const [signal, listener] of this.#listeners) {
      Deno.removeSignalListener(signal, listener);
    }
    if (this.#due !== null) Deno.exit(this.#due);
  }

  #asked(exitCode: number): void {
    // A second signal asks for an end at once.
    if (this.#due !== null) Deno.exit(exitCode);
    this.#due = exitCode;
    this.#options.say("tc: a login is being renewed; it is saved first");
  }
}
