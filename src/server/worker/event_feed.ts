/**
 * Events for watchers: the control plane's stream and the main thread.
 *
 * @module
 */

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
    const encoder = new TextEncoder();
    let stop = (): void => {};
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        const send = (text: string): void => {
          if ((controller.desiredSize ?? 0) <= -WAITING_MAX) return;
          controller.enqueue(encoder.encode(text));
        };
        send(": tc\n\n");
        const off = this.listen((data) => send(`data: ${data}\n\n`));
        const timer = setInterval(() => send(": ping\n\n"), PING_MS);
        const end = (): void => {
          stop();
          controller.close();
        };
        this.#streams.add(end);
        stop = () => {
          off();
          clearInterval(timer);
          this.#streams.delete(end);
        };
        signal.addEventListener("abort", stop, { once: true });
      },
      cancel: () => stop(),
    });
  }
}
