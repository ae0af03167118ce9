/**
 * Events for watchers: the control plane's stream and the main thread.
 *
 * @module
 */

import type { StatusView } from "../../control/protocol.ts";
import { patchOf, type WatchMessage } from "../../control/status_patch.ts";

const PING_MS = 15_000;

/** If a watcher falls further behind, it loses the oldest events. */
const WAITING_MAX = 1_000;

export class EventFeed {
  readonly #listeners = new Set<(data: string) => void>();
  readonly #streams = new Set<() => void>();

  get isWatched(): boolean {
    return this.#listeners.size > 0;
  }

  /** Sends an event to every watcher; `view` runs only if there is one. */
  tell(kind: string, view: () => unknown): void {
    if (this.#listeners.size === 0) return;
    const data = JSON.stringify({ kind, view: view() });
    for (const listen of this.#listeners) listen(data);
  }

  /** Returns the function that removes the listener. */
  listen(listener: (data: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends every stream; watchers reconnect to the next server. */
  end(): void {
    for (const end of [...this.#streams]) end();
  }

  /**
   * Returns the events as an event stream, until `signal` aborts or the reader
   * leaves.
   */
  stream(signal: AbortSignal): ReadableStream<Uint8Array> {
    return sse(signal, this.#streams, (send) => this.listen(send));
  }
}

/**
 * Returns an event stream of what `listen` is told, until `signal` aborts, the
 * reader leaves or the function that it puts into `streams` is called.
 */
function sse(
  signal: AbortSignal,
  streams: Set<() => void>,
  listen: (send: (data: string) => void) => () => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let stop = (): void => {};
  return new ReadableStream<Uint8Array>({
    start: (controller) => {
      const send = (text: string): void => {
        if ((controller.desiredSize ?? 0) <= -WAITING_MAX) return;
        controller.enqueue(encoder.encode(text));
      };
      send(": tc\n\n");
      const off = listen((data) => send(`data: ${data}\n\n`));
      const timer = setInterval(() => send(": ping\n\n"), PING_MS);
      const end = (): void => {
        stop();
        controller.close();
      };
      streams.add(end);
      stop = () => {
        off();
        clearInterval(timer);
        streams.delete(end);
      };
      signal.addEventListener("abort", stop, { once: true });
    },
    cancel: () => stop(),
  });
}

/** How often the pool is asked whether it is another one, which costs little. */
const TICK_MS = 200;

/**
 * Least ticks between two looks at the whole pool, however much happens: a
 * watcher shows a change within a second.
 */
const LOOK_TICKS = 4;

/** After so many ticks a watcher hears of an unchanged pool: its times go on. */
const QUIET_TICKS = 50;

interface StatusFeedOptions {
  readonly status: () => StatusView;
  /** Something that is another object once the pool has changed. */
  readonly mark: () => unknown;
}

/**
 * Tells watchers what changed, for all of them together, so that the requests of
 * others do not wait longer the more pages are open. It does nothing while nobody
 * watches, and little while nothing happens.
 */
export class StatusFeed {
  readonly #options: StatusFeedOptions;
  readonly #watchers = new Set<(data: string) => void>();
  readonly #streams = new Set<() => void>();
  #timer: ReturnType<typeof setInterval> | null = null;
  #last: StatusView | null = null;
  #mark: unknown = null;
  /** Ticks since the last look. */
  #ticks = 0;

  constructor(options: StatusFeedOptions) {
    this.#options = options;
  }

  /** Ends every stream; watchers connect to the next server. */
  end(): void {
    for (const end of [...this.#streams]) end();
  }

  /** Returns the status, then its changes, as an event stream. */
  stream(signal: AbortSignal): ReadableStream<Uint8Array> {
    return sse(signal, this.#streams, (send) => this.#watch(send));
  }

  #watch(send: (data: string) => void): () => void {
    // All watchers get the same changes, so a new one begins with the others.
    this.#look();
    const status = this.#last ?? this.#options.status();
    this.#last = status;
    const first: WatchMessage = { kind: "status", status };
    send(JSON.stringify(first));
    this.#watchers.add(send);
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    return () => {
      this.#watchers.delete(send);
      if (this.#watchers.size > 0 || this.#timer === null) return;
      clearInterval(this.#timer);
      this.#timer = null;
      this.#last = null;
    };
  }

  #tick(): void {
    this.#ticks++;
    if (this.#ticks < LOOK_TICKS) return;
    const mark = this.#options.mark();
    if (mark === this.#mark && this.#ticks < QUIET_TICKS) return;
    this.#mark = mark;
    this.#ticks = 0;
    this.#look();
  }

  #look(): void {
    const before = this.#last;
    if (before === null) return;
    const after = this.#options.status();
    this.#last = after;
    const patch = patchOf(before, after);
    const message: WatchMessage = { kind: "patch", patch };
    const data = JSON.stringify(message);
    for (const send of this.#watchers) send(data);
  }
}
