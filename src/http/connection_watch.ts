/**
 * The data plane: holds every open connection to its time limits.
 *
 * One look at all of them now and then, instead of a timer for each request:
 * a limit is kept to within one look, and never fires early.
 *
 * @module
 */

import type { Clock } from "../ports.ts";
import type { Connection } from "./connection.ts";
import { TimeLimitError } from "./time_limit.ts";

const LOOK_MS_MAX = 1_000;
const LOOKS_PER_LIMIT = 4;
/** After so many that did not come this process has stood still. */
const LOOKS_MISSED = 10;

export interface ConnectionLimits {
  /** How long a connection rests in the pool. */
  readonly idleMs: number;
  /** From the last byte of the request that went out to the answer's head. */
  readonly firstByteMs: number;
  /** The longest silence within a body. */
  readonly idleBodyMs: number;
}

/** What the watch saw of a connection when it last looked. */
interface Sighting {
  activity: number;
  sinceMs: number;
}

export class ConnectionWatch {
  readonly #clock: Clock;
  readonly #limits: ConnectionLimits;
  readonly #lookMs: number;
  readonly #sightings = new Map<Connection, Sighting>();
  readonly #stop = new AbortController();
  #isRunning = false;
  #lookedAt: number;
  #lookedAtMs: number;

  constructor(clock: Clock, limits: ConnectionLimits) {
    const { idleMs, firstByteMs, idleBodyMs } = limits;
    const shortestMs = Math.min(idleMs, firstByteMs, idleBodyMs);
    this.#clock = clock;
    this.#limits = limits;
    this.#lookMs = Math.min(LOOK_MS_MAX, shortestMs / LOOKS_PER_LIMIT);
    this.#lookedAt = clock.now();
    this.#lookedAtMs = clock.monotonicMs();
  }

  add(connection: Connection): void {
    this.#sightings.set(connection, {
      activity: connection.activity,
      sinceMs: this.#clock.monotonicMs(),
    });
    this.#run();
  }

  remove(connection: Connection): void {
    this.#sightings.delete(connection);
  }

  /**
   * Whether the machine slept since the last look: the wall clock moved on and
   * no timer ran. What rested in the pool is then dead without a sign.
   */
  hasOverslept(): boolean {
    return this.#clock.now() - this.#lookedAt >
      this.#lookMs + this.#limits.idleMs;
  }

  stop(): void {
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#lookedAt = this.#clock.now();
    this.#lookedAtMs = this.#clock.monotonicMs();
    try {
      while (this.#sightings.size > 0) {
        await this.#clock.sleep(this.#lookMs, this.#stop.signal);
        this.#look();
      }
    } catch (cause) {
      // `stop` ends the sleep; anything else is a fault to be seen.
      if (!this.#stop.signal.aborted) throw cause;
    } finally {
      this.#isRunning = false;
    }
  }

  #look(): void {
    const nowMs = this.#clock.monotonicMs();
    const hasOverslept = this.hasOverslept();
    // While this process stood still nobody could hear the other side.
    const gapMs = nowMs - this.#lookedAtMs;
    const deafMs = gapMs > LOOKS_MISSED * this.#lookMs ? gapMs : 0;
    for (const [connection, sighting] of this.#sightings) {
      if (hasOverslept && connection.phase === "idle") {
        connection.close(new TimeLimitError("the machine slept"));
        continue;
      }
      if (connection.activity !== sighting.activity) {
        sighting.activity = connection.activity;
        sighting.sinceMs = nowMs;
        continue;
      }
      if (connection.phase !== "idle") sighting.sinceMs += deafMs;
      const limitMs = this.#limitOf(connection);
      if (nowMs - sighting.sinceMs < limitMs) continue;
      connection.close(new TimeLimitError(`silent for ${limitMs} ms`));
    }
    this.#lookedAt = this.#clock.now();
    this.#lookedAtMs = nowMs;
  }

  #limitOf(connection: Connection): number {
    switch (connection.phase) {
      case "idle":
        return this.#limits.idleMs;
      case "waiting":
        return this.#limits.firstByteMs;
      case "reading":
        return this.#limits.idleBodyMs;
      case "paused":
      case "closed":
        return Infinity;
    }
  }
}
