/**
 * What the Deck hears: the status as the server tells it, the curves, and the
 * sessions from files of this machine. Each feed runs until its signal aborts.
 *
 * @module
 */

import type { SessionReader } from "../claude/sessions/sessions.ts";
import type { ControlClient } from "../control/client.ts";
import { DAY_MS } from "../core/time.ts";
import { reasonOf } from "../errors.ts";
import type { Clock } from "../ports.ts";
import type { Message } from "./model.ts";

const STATUS_MS = 1_000;

/** Least time between two requests for the status, however much happens. */
const STATUS_MIN_MS = 250;

const RETRY_MAX_MS = 5_000;

/** How often the session files are read, as in the seed. */
const LOCAL_MS = 3_000;

/** Where there are none, the next one may be seen a little later. */
const LOCAL_IDLE_MS = 10_000;

export interface FeedOptions {
  readonly client: ControlClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly send: (message: Message) => void;
}

/** Wakes the status feed early. */
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

/**
 * Requests the status until `signal` aborts; a lost server is found again by
 * itself.
 */
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

/** Without a word for so long the server stands still: it tells every 10 s. */
const SILENCE_MS = 25_000;

/**
 * Hears from the server what changes, until `signal` aborts; a lost server is
 * found again by itself.
 */
export async function toldFeed(
  { client, clock, signal, send }: FeedOptions,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    const silence = new AbortController();
    const either = AbortSignal.any([signal, silence.signal]);
    let heardMs = clock.monotonicMs();
    const guard = watchSilence(clock, either, () => {
      if (clock.monotonicMs() - heardMs > SILENCE_MS) silence.abort();
    });
    try {
      for await (const status of client.watch(either)) {
        if (signal.aborted) return;
        heardMs = clock.monotonicMs();
        failures = 0;
        send({ kind: "status", status });
      }
      send({ kind: "lost", reason: "the server ended the connection" });
    } catch (cause) {
      if (signal.aborted) return;
      send({ kind: "lost", reason: reasonOf(cause) });
    } finally {
      silence.abort();
      await guard;
    }
    failures++;
    const waitMs = Math.min(RETRY_MAX_MS, STATUS_MS * failures);
    await clock.sleep(waitMs, signal).catch(() => {});
  }
}

const GUARD_MS = 5_000;

async function watchSilence(
  clock: Clock,
  signal: AbortSignal,
  look: () => void,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(GUARD_MS, signal).catch(() => {});
    look();
  }
}

/** Requests the status at once after a change that this Deck made. */
export async function nudgedFeed(
  { client, clock, signal, send }: FeedOptions,
  nudge: Nudge,
): Promise<void> {
  while (!signal.aborted) {
    await nudge.within(DAY_MS, clock, signal);
    if (signal.aborted) return;
    try {
      send({ kind: "status", status: await client.status() });
    } catch {
      // The stream tells that the server is lost.
    }
  }
}

const CURVES_MS = 20_000;

/** How often a screen without curves looks whether it shows some by now. */
const CURVES_IDLE_MS = 5_000;

/** Requests the curves while the screen shows them. */
export async function curveFeed(
  { client, clock, signal, send }: FeedOptions,
  isShown: () => boolean,
): Promise<void> {
  while (!signal.aborted) {
    if (isShown()) {
      try {
        const curves = await client.curves();
        if (!signal.aborted) send({ kind: "curves", curves });
      } catch {
        // An older server has none; a lost one is told by the status feed.
      }
    }
    const waitMs = isShown() ? CURVES_MS : CURVES_IDLE_MS;
    await clock.sleep(waitMs, signal).catch(() => {});
  }
}

/** Nudges whenever the server reports that something happened. */
export async function eventFeed(
  { client, clock, signal }: FeedOptions,
  nudge: Nudge,
): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const _ of client.events(signal)) nudge.now();
    } catch {
      // The status feed reports it; here it is enough to try again.
    }
    await clock.sleep(STATUS_MS, signal).catch(() => {});
  }
}

/** Reads the sessions of this machine until `signal` aborts. */
export async function localFeed(
  { clock, signal, send }: FeedOptions,
  reader: SessionReader,
): Promise<void> {
  let hadAny = false;
  while (!signal.aborted) {
    const local = await reader.read(clock.now());
    if (signal.aborted) return;
    if (local.length > 0 || hadAny) send({ kind: "local", local });
    hadAny = local.length > 0;
    const waitMs = local.length > 0 ? LOCAL_MS : LOCAL_IDLE_MS;
    await clock.sleep(waitMs, signal).catch(() => {});
  }
}
