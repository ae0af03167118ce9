/**
 * The data plane: accepts connections on a port or a Unix socket and serves
 * each. A failed `accept` (too many open files, a connection that was reset
 * before it was taken) ends nothing.
 *
 * @module
 */

import type { Journal } from "../ports.ts";
import {
  type Arrival,
  ArrivalHeaders,
  ConnectionBody,
  nextHead,
  type RequestHead,
} from "./request.ts";
import { type ClientAnswer, writeAnswer } from "./response.ts";
import {
  ClientConnection,
  ClientConnections,
  type ConnectionLimits,
  ReadBuffers,
} from "./client_connection.ts";
import { Lateness, type Patience } from "./deadline.ts";
import { reasonOf } from "../errors.ts";
import { apiError } from "../wire/answer/api_error.ts";
import { ProtocolError } from "./head.ts";

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

// MERGED serve_connection.ts: The data plane: serves one client's connection, request after request.

/** What a connection needs of the listener. */
interface ConnectionHost {
  /** Makes the answer to a request; never rejects. */
  readonly answer: (arrival: Arrival) => Promise<ClientAnswer>;
  /** From here on a connection ends with its answer. */
  readonly isDraining: () => boolean;
  readonly isLocal: boolean;
  /** Called when a request on this connection has passed the door. */
  readonly prove: () => void;
  readonly patience: Patience;
  readonly silence: Lateness;
  readonly heads: Lateness;
  /** Whether a request on this connection has passed the door. */
  readonly isProven: () => boolean;
  readonly limits: HeadLimits;
}

/** How long a client may take before its request is here. */
interface HeadLimits {
  /** From the connection, or the last answer, to the first byte; unproven. */
  readonly firstByteMs: number;
  /** For a whole head, from its first byte on. */
  readonly headMs: number;
}

/** Ends when the connection has; never rejects. */
async function serveConnection(
  client: ClientConnection,
  host: ConnectionHost,
): Promise<void> {
  try {
    do {
      const head = await headInTime(client, host);
      if (head === null) break;
      const isOpen = await serveOne(client, head, host);
      if (!isOpen) break;
    } while (!host.isDraining());
  } catch {
    // The client is gone, or an answer broke: both end the connection.
  } finally {
    client.close();
  }
}

/** The next head, or null where none is to be had. */
async function headInTime(
  client: ClientConnection,
  host: ConnectionHost,
): Promise<RequestHead | null> {
  const { silence, heads, limits } = host;
  const late = () => client.close();
  if (!host.isProven()) silence.watch(late, limits.firstByteMs);
  function begun(): void {
    silence.forget(late);
    heads.watch(late, limits.headMs);
  }
  try {
    return await nextHead(client, begun);
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    await refuse(client, cause, host);
    return null;
  } finally {
    silence.forget(late);
    heads.forget(late);
  }
}

/** Whether the connection may serve the next request. */
async function serveOne(
  client: ClientConnection,
  head: RequestHead,
  host: ConnectionHost,
): Promise<boolean> {
  const presence = new AbortController();
  const ended = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<null>();
  let answer: ClientAnswer | null = null;
  function left(): void {
    // First the body, so that its end is told as the client's doing.
    giveUp(answer);
    presence.abort(new DOMException("The client left", "AbortError"));
    client.close();
    gone.resolve(null);
  }
  const headers = new ArrivalHeaders(head.headers);
  const body = new ConnectionBody(client, head.bodyEnd, {
    isAwaited: awaitsWord(head, headers),
    // Only now: what came before was the body's.
    onEnd: () => client.watch(left),
  });
  try {
    const answering = host.answer({
      method: head.method,
      url: urlOf(head, headers),
      headers,
      body,
      signal: presence.signal,
      ended: ended.promise,
      isLocal: host.isLocal,
      prove: host.prove,
    });
    answer = await Promise.race([answering, gone.promise]);
    if (answer === null) {
      answering.then(giveUp);
      return false;
    }
    const isOpen = await writeAnswer(client, answer, {
      head,
      isPersistent: head.isPersistent && body.isDone && !host.isDraining(),
      patience: host.patience,
    });
    ended.resolve();
    if (!body.isDone) await client.linger();
    return isOpen;
  } catch (cause) {
    giveUp(answer);
    throw cause;
  } finally {
    ended.resolve();
  }
}

/** Nobody takes the rest. */
function giveUp(answer: ClientAnswer | null): void {
  const { body = null } = answer ?? {};
  if (body !== null && !(body instanceof Uint8Array)) body.cancel();
}

/** Whether the client sends its body only when it is told to go on. */
function awaitsWord(
  { isVersion10 }: RequestHead,
  headers: ArrivalHeaders,
): boolean {
  return !isVersion10 &&
    headers.get("expect")?.toLowerCase() === "100-continue";
}

/** The authority of the request line, or else that of `host`. */
function urlOf({ target }: RequestHead, headers: ArrivalHeaders): string {
  return target.startsWith("/")
    ? `http://${headers.get("host") ?? ""}${target}`
    : target;
}

/** Tells a client what is wrong with its request and ends the connection. */
async function refuse(
  client: ClientConnection,
  { message }: ProtocolError,
  { patience }: ConnectionHost,
): Promise<void> {
  const answer = apiError({
    status: 400,
    type: "invalid_request_error",
    message: `tc: ${message}`,
    retryAfterSec: null,
  });
  await writeAnswer(client, answer, {
    head: { method: "GET", isVersion10: false },
    isPersistent: false,
    patience,
  });
  await client.linger();
}
