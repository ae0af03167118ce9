/**
 * The data plane: accepts connections on a port or a Unix socket and serves
 * each. A failed `accept` (too many open files, a connection that was reset
 * before it was taken) ends nothing.
 *
 * @module
 */

import type { Journal } from "../ports.ts";
import type { Arrival } from "./arrival.ts";
import type { ClientAnswer } from "./client_answer.ts";
import { ClientConnection } from "./client_connection.ts";
import { Lateness } from "./lateness.ts";
import type { Patience } from "./patience.ts";
import { serveConnection } from "./serve_connection.ts";

/** How long to wait after an `accept` that failed. */
const PAUSE_MS = 50;

/** Who has just come may still ask, once, while the server ends. */
const NEWCOMER_MS = 250;

/** What a connection is doing. */
type Phase =
  /** It has asked nothing yet. */
  | "new"
  | "serving"
  /** Its last answer has ended. */
  | "resting";

export interface ServeOptions {
  /** Makes the answer to a request; never rejects. */
  readonly answer: (arrival: Arrival) => Promise<ClientAnswer>;
  readonly patience: Patience;
  /** Time for a whole head, from its first byte on. */
  readonly headMs: number;
  readonly journal: Journal;
}

export class ConnectionServer {
  readonly #listener: Deno.Listener;
  readonly #options: ServeOptions;
  readonly #heads = new Lateness();
  readonly #clients = new Map<ClientConnection, Phase>();
  readonly #ended = Promise.withResolvers<void>();
  #isDraining = false;

  constructor(listener: Deno.Listener, options: ServeOptions) {
    this.#listener = listener;
    this.#options = options;
    this.#accept();
  }

  /** Takes no new connection; resolves when every answer has ended. */
  async shutdown(): Promise<void> {
    this.#stop();
    this.#closeAll("resting");
    const timer = setTimeout(() => this.#closeAll("new"), NEWCOMER_MS);
    await this.#ended.promise;
    clearTimeout(timer);
  }

  /** Cuts everything. */
  abort(): void {
    this.#stop();
    for (const client of this.#clients.keys()) client.close();
  }

  #closeAll(phase: Phase): void {
    for (const [client, its] of this.#clients) {
      if (its === phase) client.close();
    }
  }

  #stop(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#listener.close();
    this.#endIfEmpty();
  }

  #endIfEmpty(): void {
    if (!this.#isDraining || this.#clients.size > 0) return;
    this.#heads.close();
    this.#ended.resolve();
  }

  async #accept(): Promise<void> {
    let isTold = false;
    while (!this.#isDraining) {
      try {
        const stream = await this.#listener.accept();
        isTold = false;
        this.#serve(stream);
      } catch (cause) {
        if (this.#isDraining) return;
        if (!isTold) this.#tell(cause);
        isTold = true;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
  }

  async #serve(stream: Deno.Conn): Promise<void> {
    const client = new ClientConnection(stream);
    this.#clients.set(client, "new");
    const { answer, patience, headMs } = this.#options;
    try {
      hurry(stream);
      await serveConnection(client, {
        answer: (arrival) => {
          this.#clients.set(client, "serving");
          arrival.ended.then(() => this.#rests(client));
          return answer(arrival);
        },
        isDraining: () => this.#isDraining,
        isLocal: isLocal(stream.remoteAddr),
        patience,
        heads: this.#heads,
        headMs,
      });
    } catch {
      // It was gone before it could be served.
    } finally {
      client.close();
      this.#clients.delete(client);
      this.#endIfEmpty();
    }
  }

  /** The answer has ended; the connection waits for the next request. */
  #rests(client: ClientConnection): void {
    if (this.#clients.has(client)) this.#clients.set(client, "resting");
  }

  #tell(cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#options.journal.log("warn", "listener", { reason });
  }
}

/** Events go out as they come, not when a packet is full. */
function hurry(stream: Deno.Conn): void {
  if ("setNoDelay" in stream) (stream as Deno.TcpConn).setNoDelay(true);
}

/** Whether the other side is on this machine. */
function isLocal(address: Deno.Addr): boolean {
  if (address.transport !== "tcp") return true;
  const { hostname } = address;
  return hostname === "::1" || hostname.startsWith("127.") ||
    hostname.startsWith("::ffff:127.");
}
