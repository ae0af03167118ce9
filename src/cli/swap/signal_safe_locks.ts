/**
 * Locks of accounts that keep this process from being ended while it holds one:
 * a refresh token that is being spent has its successor on disk first.
 *
 * @module
 */

import { SWAP_LOCK } from "../../swap/swap_ports.ts";
import type { HeldLock, Locks } from "../../ports.ts";

type Ending = "SIGINT" | "SIGTERM" | "SIGHUP";

/** Exit codes as shells have them: 128 and the signal's number. */
const EXIT_CODES: Readonly<Record<Ending, number>> = {
  SIGINT: 130,
  SIGTERM: 143,
  SIGHUP: 129,
};

export interface SteadyPorts {
  readonly locks: Locks;
  /** What to keep; a hook's shell ignores the others already. */
  readonly signals: readonly Ending[];
  readonly say: (words: string) => void;
}

export class SteadyLocks implements Locks {
  readonly #ports: SteadyPorts;
  readonly #listeners: readonly (readonly [Ending, () => void])[];
  #held = 0;
  /** The exit code that is due when the last lock goes, or null. */
  #due: number | null = null;

  constructor(ports: SteadyPorts) {
    this.#ports = ports;
    const { signals } = ports;
    const usable = Deno.build.os === "windows"
      ? signals.filter((signal) => signal === "SIGINT")
      : signals;
    this.#listeners = usable.map((signal) =>
      [signal, () => this.#asked(EXIT_CODES[signal])] as const
    );
  }

  async acquire(
    name: string,
    wait: Parameters<Locks["acquire"]>[1],
  ): Promise<HeldLock> {
    const lock = await this.#ports.locks.acquire(name, wait);
    // A whole swap may take long, and nothing is lost by ending it.
    if (name === SWAP_LOCK) return lock;
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
    // The second wish is for an end at once.
    if (this.#due !== null) Deno.exit(exitCode);
    this.#due = exitCode;
    this.#ports.say("tc: a login is being renewed: it is saved first");
  }
}
