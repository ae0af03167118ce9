/**
 * Tells people once about each condition that begins, by a program, on the
 * desktop or by a webhook. It remembers across restarts which conditions it told
 * of and which notices the webhook has not accepted yet.
 *
 * @module
 */

import { timeView } from "../../control/status_view.ts";
import type { StatusView } from "../../control/protocol.ts";
import { asObject, parseJson } from "../../wire/request/json.ts";
import { reasonOf } from "../../errors.ts";
import { MINUTE_MS, SECOND_MS } from "../../core/time.ts";
import type { Clock, Entropy, Journal } from "../../ports.ts";
import { QUIET_SHAPE } from "../../config/settings.ts";
import { readIfThere, writeAtomic } from "../../store/files/atomic.ts";
import { Rounds } from "../worker/rounds.ts";
import {
  type Condition,
  conditionsOf,
  type NoticeEvent,
  POOL_BACK,
} from "./conditions.ts";

/** Keeps notices across restarts of the server, as JSON. */
interface NoticeMemory {
  /** Returns the text that was written last; null if there is none. */
  read(): Promise<string | null>;
  write(text: string): Promise<void>;
}

/** Returns a memory in a private file. */
export function memoryIn(file: string): NoticeMemory {
  return {
    async read(): Promise<string | null> {
      const bytes = await readIfThere(file);
      return bytes === null ? null : new TextDecoder().decode(bytes);
    },
    async write(text: string): Promise<void> {
      await writeAtomic(file, new TextEncoder().encode(text));
    },
  };
}

interface NotifierOptions {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly journal: Journal;
  readonly status: () => StatusView;
  /** Minutes since midnight, local time. */
  readonly minuteOfDay: () => number;
  /** Hours in which nothing is told: `22:00-07:00`; empty means none. */
  readonly quiet: string;
  /** Keeps what was told and what waits. */
  readonly memory: NoticeMemory;
  /** Tells the desktop and the user's program; null if none is set. */
  readonly tell: ((event: NoticeEvent) => void) | null;
  /** Sends an event to the webhook; rejects if it did not take it. */
  readonly send:
    | ((event: NoticeEvent, signal: AbortSignal) => Promise<void>)
    | null;
}

/** How often the pool is looked at. */
const LOOK_MS = 5 * SECOND_MS;
/** A condition must hold this long before anybody is told of it. */
const STANDS_MS = 10 * SECOND_MS;
/** A condition that was gone for less is still the same one. */
const GONE_MS = MINUTE_MS;
const RETRY_MS = 5 * SECOND_MS;
const RETRY_MS_MAX = 5 * MINUTE_MS;
/** The most events that wait for a webhook; the oldest are dropped first. */
const WAITING_MAX = 200;

/** The state of one condition. */
interface Known {
  /** Since when it stands, on the wall clock. */
  readonly since: number;
  /** Whether it was told. */
  readonly isTold: boolean;
  /** When it was last seen. */
  readonly seenAt: number;
}

export class Notifier {
  readonly #options: NotifierOptions;
  readonly #rounds: Rounds;
  readonly #stop = new AbortController();
  readonly #known = new Map<string, Known>();
  #waiting: NoticeEvent[] = [];
  #sending: Promise<void> | null = null;
  #isRead = false;

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#rounds = new Rounds({
      failure: "notices",
      clock: options.clock,
      journal: options.journal,
      afterFailureMs: LOOK_MS,
      round: async () => {
        await this.#look();
        return LOOK_MS;
      },
    });
  }

  start(): void {
    const { tell, send } = this.#options;
    if (tell !== null || send !== null) this.#rounds.start();
  }

  /** Ends; what a webhook has not taken waits for the next start. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#rounds.stop();
    await this.#sending;
  }

  async #look(): Promise<void> {
    if (!this.#isRead) await this.#read();
    this.#sendWaiting();
    const { clock, minuteOfDay, quiet, status } = this.#options;
    // Conditions that still hold are told when the quiet hours end.
    if (isQuiet(quiet, minuteOfDay())) return;
    const now = clock.now();
    let hasChanged = false;
    for (const condition of conditionsOf(status())) {
      const before = this.#known.get(condition.key);
      const since = before?.since ?? now;
      const isDue = before?.isTold !== true && now - since >= STANDS_MS;
      if (isDue) this.#tell(condition);
      hasChanged ||= isDue;
      const isTold = isDue || before?.isTold === true;
      this.#known.set(condition.key, { since, isTold, seenAt: now });
    }
    for (const [key, { isTold, seenAt }] of this.#known) {
      const isGone = isTold ? now - seenAt >= GONE_MS : now > seenAt;
      if (!isGone) continue;
      this.#known.delete(key);
      if (isTold && key === "pool_spent") this.#tell(POOL_BACK);
      hasChanged = true;
    }
    if (!hasChanged) return;
    await this.#write();
    this.#sendWaiting();
  }

  #tell({ key: _, ...condition }: Condition): void {
    const { clock, entropy, journal, tell, send } = this.#options;
    const event: NoticeEvent = {
      schema: "tc.notice/v1",
      id: entropy.uuid(),
      at: timeView(clock.now()),
      ...condition,
    };
    const { kind, account } = event;
    journal.log("info", "notice", { kind, account });
    tell?.(event);
    if (send === null) return;
    this.#waiting.push(event);
    if (this.#waiting.length <= WAITING_MAX) return;
    this.#waiting.shift();
    journal.log("warn", "notice_lost", { reason: "the webhook takes none" });
  }

  #sendWaiting(): void {
    if (this.#waiting.length === 0) return;
    this.#sending ??= this.#sendAll().finally(() => this.#sending = null);
  }

  /** Sends the events in order; repeats each until the webhook takes it. */
  async #sendAll(): Promise<void> {
    const { clock, journal, send } = this.#options;
    const { signal } = this.#stop;
    let waitMs = RETRY_MS;
    while (!signal.aborted && send !== null) {
      const [event] = this.#waiting;
      if (event === undefined) return;
      try {
        await send(event, signal);
        if (waitMs > RETRY_MS) journal.log("info", "webhook_back", {});
        waitMs = RETRY_MS;
        this.#waiting = this.#waiting.filter((one) => one !== event);
        await this.#write();
      } catch (cause) {
        if (signal.aborted) return;
        const reason = reasonOf(cause);
        if (waitMs === RETRY_MS) journal.log("warn", "webhook", { reason });
        await clock.sleep(waitMs, signal).catch(() => {
          // The server ends; the loop's condition ends the loop.
        });
        waitMs = Math.min(RETRY_MS_MAX, 2 * waitMs);
      }
    }
  }

  async #read(): Promise<void> {
    this.#isRead = true;
    const text = await this.#options.memory.read();
    const kept = text === null
      ? null
      : asObject(parseJson(new TextEncoder().encode(text)));
    const now = this.#options.clock.now();
    for (const key of listOf(kept?.["told"])) {
      if (typeof key !== "string") continue;
      this.#known.set(key, { since: now, isTold: true, seenAt: now });
    }
    this.#waiting = listOf(kept?.["waiting"]).filter(isEvent);
  }

  async #write(): Promise<void> {
    const told = [...this.#known].filter(([, { isTold }]) => isTold)
      .map(([key]) => key);
    const text = JSON.stringify({
      schema: "tc.notices/v1",
      told,
      waiting: this.#waiting,
    });
    try {
      await this.#options.memory.write(text);
    } catch (cause) {
      // Without the file a restart tells of the same condition again.
      const reason = reasonOf(cause);
      this.#options.journal.log("warn", "notices", { reason });
    }
  }
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isEvent(value: unknown): value is NoticeEvent {
  return asObject(value)?.["schema"] === "tc.notice/v1";
}

const HOUR_MINUTES = 60;

/** Returns whether the minute lies in the quiet hours, which may span midnight. */
export function isQuiet(quiet: string, minuteOfDay: number): boolean {
  const [, fromHour, fromMinute, toHour, toMinute] = QUIET_SHAPE.exec(quiet) ??
    [];
  if (toMinute === undefined) return false;
  const from = Number(fromHour) * HOUR_MINUTES + Number(fromMinute);
  const to = Number(toHour) * HOUR_MINUTES + Number(toMinute);
  return from <= to
    ? minuteOfDay >= from && minuteOfDay < to
    : minuteOfDay >= from || minuteOfDay < to;
}
