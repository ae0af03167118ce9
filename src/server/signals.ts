/**
 * Signals of a server's process: caught from its first moment, since the port
 * may answer before the rest is there, and given back at its end.
 *
 * @module
 */

import { EXIT } from "../errors.ts";

const CAUGHT: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT"]
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/** Programs of the machine send them to everybody; they mean nothing here. */
const IGNORED: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? []
  : ["SIGUSR1", "SIGUSR2"];

export class Signals {
  readonly #held: (readonly [Deno.Signal, () => void])[] = [];
  readonly #handlers = new Map<Deno.Signal, () => void>();
  readonly #early: Deno.Signal[] = [];

  /** Catches them; what comes before its handler waits for it. */
  constructor() {
    for (const signal of CAUGHT) {
      const listener = () => this.#take(signal);
      Deno.addSignalListener(signal, listener);
      this.#held.push([signal, listener]);
    }
    for (const signal of IGNORED) {
      const listener = () => {};
      Deno.addSignalListener(signal, listener);
      this.#held.push([signal, listener]);
    }
  }

  /** From here on `handler` gets the signal, and what has come of it by now. */
  on(signal: Deno.Signal, handler: () => void): void {
    this.#handlers.set(signal, handler);
    const waiting = this.#early.filter((early) => early === signal);
    if (waiting.length > 0) handler();
  }

  release(): void {
    for (const [signal, listener] of this.#held.splice(0)) {
      Deno.removeSignalListener(signal, listener);
    }
  }

  #take(signal: Deno.Signal): void {
    const handler = this.#handlers.get(signal);
    if (handler !== undefined) return handler();
    // Nothing is served yet, and somebody insists.
    const isAgain = signal !== "SIGHUP" && this.#early.includes(signal);
    if (isAgain) Deno.exit(EXIT.interrupted);
    this.#early.push(signal);
  }
}
