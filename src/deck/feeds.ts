/**
 * Where the Deck's data comes from: the server's status, often while something
 * happens and each second otherwise, and the sessions of this machine.
 *
 * @module
 */

import type { SessionReader } from "../claude/sessions/sessions.ts";
import type { ControlClient } from "../control/client.ts";
import type { Clock } from "../ports.ts";
import type { Message } from "./model.ts";
import { reasonOf } from "../errors.ts";

const STATUS_MS = 1_000;

/** Between two looks at the status, however much happens. */
const STATUS_MIN_MS = 250;

const RETRY_MAX_MS = 5_000;

/** The seed's rhythm for files. */
const LOCAL_MS = 3_000;

export interface FeedOptions {
  readonly client: ControlClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly send: (message: Message) => void;
}

/** Wakes the status feed before its time. */
export class Nudge {
  #wake = Promise.withResolvers<void>();

  now(): void {
    this.#wake.resolve();
  }

  /** Resolves at the next nudge, or after `ms`. */
  async within(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    try {
      await Promise.race([
        this.#wake.promise,
        clock.sleep(ms, either).catch(() => {}),
      ]);
    } finally {
      over.abort();
      this.#wake = Promise.withResolvers<void>();
    }
  }
}

/** Asks for the status until `signal` aborts; a lost server heals by itself. */
export async function statusFeed(
  options: FeedOptions,
  nudge: Nudge,
): Promise<void> {
  const { client, clock, signal, send } = options;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const status = await client.status();
      if (signal.aborted) return;
      failures = 0;
      send({ kind: "status", status });
    } catch (cause) {
      if (signal.aborted) return;
      failures++;
      const reason = reasonOf(cause);
      send({ kind: "lost", reason });
    }
    if (failures > 0) {
      const waitMs = Math.min(RETRY_MAX_MS, STATUS_MS * failures);
      await clock.sleep(waitMs, signal).catch(() => {});
      continue;
    }
    await clock.sleep(STATUS_MIN_MS, signal).catch(() => {});
    await nudge.within(STATUS_MS - STATUS_MIN_MS, clock, signal);
  }
}

/** Nudges whenever the server says that something happened. */
export async function eventFeed(
  { client, clock, signal }: FeedOptions,
  nudge: Nudge,
): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const _ of client.events(signal)) nudge.now();
    } catch {
      // The status feed says so; here it is enough to try again.
    }
    await clock.sleep(STATUS_MS, signal).catch(() => {});
  }
}

/** Reads the sessions of this machine until `signal` aborts. */
export async function localFeed(
  { clock, signal, send }: FeedOptions,
  reader: SessionReader,
): Promise<void> {
  while (!signal.aborted) {
    const local = await reader.read(clock.now());
    if (signal.aborted) return;
    send({ kind: "local", local });
    await clock.sleep(LOCAL_MS, signal).catch(() => {});
  }
}
