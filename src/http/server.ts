/**
 * The data plane: accepts connections on a port or a Unix socket and serves
 * each. A failed `accept` (too many open files, a connection that was reset
 * before it was taken) ends nothing.
 *
 * @module
 */

import type { Journal } from "../ports.ts";
import type { Arrival } from "./request.ts";
import type { ClientAnswer } from "./response.ts";
import { ClientConnection, ReadBuffers } from "./client_connection.ts";
import {
  ClientConnections,
  type ConnectionLimits,
} from "./client_connections.ts";
import { Lateness } from "./deadline.ts";
import type { Patience } from "./patience.ts";
import { type HeadLimits, serveConnection } from "./serve_connection.ts";
import { reasonOf } from "../errors.ts";

/** How long to wait after an `accept` that failed. */
const PAUSE_MS = 50;

/** A new connection may send one request during shutdown, this long. */
const NEWCOMER_MS = 250;

/** The log hears of connections that were closed for others this often. */
const TELL_MS = 60_000;

export interface ServeOptions {
  /** Makes the answer to a request; never rejects. */
  readonly answer: (arrival: Arrival) => Promise<ClientAnswer>;
  readonly patience: Patience;
  readonly heads: HeadLimits;
  readonly connections: ConnectionLimits;
  readonly journal: Journal;
}

/** Serves the connections of all `listeners` within one set of limits. */
export class ConnectionServer {
  readonly #listeners: readonly Deno.Listener[];
  readonly #options: ServeOptions;
  readonly #heads = new Lateness();
  readonly #silence = new Lateness();
  readonly #buffers = new ReadBuffers();
  readonly #clients: ClientConnections;
  readonly #ended = Promise.withResolvers<void>();
  #isDraining = false;
  #toldAtMs = -Infinity;
  #toldClosed = 0;

  constructor(listeners: readonly Deno.Listener[], options: ServeOptions) {
    this.#listeners = listeners;
    this.#options = options;
    this.#clients = new ClientConnections(options.connections);
    for (const listener of listeners) this.#accept(listener);
  }

  /** Takes no new connection; resolves when every answer has ended. */
  async shutdown(): Promise<void> {
    this.#stop();
    this.#clients.closeAll("resting");
    const timer = setTimeout(() => this.#clients.closeAll("new"), NEWCOMER_MS);
    await this.#ended.promise;
    clearTimeout(timer);
  }

  /** Cuts everything. */
  abort(): void {
    this.#stop();
    this.#clients.abort();
  }

  #stop(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#clients.unlimit();
    for (const listener of this.#listeners) listener.close();
    this.#endIfEmpty();
  }

  #endIfEmpty(): void {
    if (!this.#isDraining || this.#clients.size > 0) return;
    this.#heads.close();
    this.#silence.close();
    this.#ended.resolve();
  }

  async #accept(listener: Deno.Listener): Promise<void> {
    let isTold = false;
    while (!this.#isDraining) {
      try {
        const stream = await listener.accept();
        const client = new ClientConnection(stream, this.#buffers);
        isTold = false;
        await this.#clients.add(client);
        this.#tellClosed();
        this.#serve(client);
      } catch (cause) {
        if (this.#isDraining) return;
        if (!isTold) this.#tell(reasonOf(cause));
        isTold = true;
        // Mostly it is out of descriptors.
        this.#clients.closeIdle();
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  }

  async #serve(client: ClientConnection): Promise<void> {
    const { answer, patience, heads } = this.#options;
    try {
      client.hurry();
      await serveConnection(client, {
        answer: (arrival) => {
          this.#clients.enter(client, "serving");
          arrival.ended.then(() => this.#clients.enter(client, "resting"));
          return answer(arrival);
        },
        isDraining: () => this.#isDraining,
        isLocal: client.isLocal,
        isProven: () => this.#clients.isProven(client),
        prove: () => this.#clients.prove(client),
        patience,
        silence: this.#silence,
        heads: this.#heads,
        limits: heads,
      });
    } catch {
      // It was gone before it could be served.
    } finally {
      client.close();
      this.#clients.remove(client);
      client.recycle();
      this.#endIfEmpty();
    }
  }

  /** Says that connections were closed for others, without a line for each. */
  #tellClosed(): void {
    const { closed } = this.#clients;
    const nowMs = performance.now();
    if (closed === this.#toldClosed || nowMs - this.#toldAtMs < TELL_MS) return;
    const count = closed - this.#toldClosed;
    this.#toldAtMs = nowMs;
    this.#toldClosed = closed;
    this.#tell(
      `too many connections: ${count} that served no request were closed`,
    );
  }

  #tell(reason: string): void {
    this.#options.journal.log("warn", "listener", { reason });
  }
}
