/**
 * Listens on a port or a Unix socket, accepts connections and serves the
 * requests of each, one after the other.
 *
 * @module
 */

import { EXIT, reasonOf, TcError } from "../errors.ts";
import type { Journal } from "../ports.ts";
import { apiError } from "../wire/answer/api_error.ts";
import {
  ClientConnection,
  ClientConnections,
  type ConnectionLimits,
} from "./client_connection.ts";
import { SpareBuffers } from "./buffers.ts";
import { Deadline } from "./deadline.ts";
import { ProtocolError } from "./head.ts";
import {
  ConnectionBody,
  type IncomingRequest,
  nextHead,
  type RequestHead,
  RequestHeaders,
} from "./request.ts";
import { type ClientAnswer, writeAnswer } from "./response.ts";

/**
 * How many connections the system keeps until they are accepted. It drops what
 * comes beyond that, and a client tries again only after a second, then after
 * three and seven. The usual 511 were too few for 2,000 clients at once.
 */
const BACKLOG = 4_096;

/** The pause after an `accept` that failed. */
const ACCEPT_PAUSE_MS = 50;

/** During shutdown a new connection has this long to send one request. */
const NEWCOMER_MS = 250;

/** Closed connections are reported in the log at most this often. */
const REPORT_MS = 60_000;

/** How long a client may take before its request is here. */
interface HeadLimits {
  /** From the connection, or the last answer, to the first byte; unproven. */
  readonly firstByteMs: number;
  /** For a whole head, from its first byte on. */
  readonly headMs: number;
}

/**
 * How a server shares its port (Linux only): with nobody, with a later server
 * that will take it over, or with the earlier one that it takes it over from.
 */
export type PortSharing = "alone" | "handed_on" | "taken_over";

/** Listens on a TCP port. Throws TcError `port_taken` if another program has it. */
export function listenOnPort(
  hostname: string,
  port: number,
  sharing: PortSharing,
): Deno.TcpListener {
  try {
    if (sharing === "handed_on" && port !== 0) {
      // A shared port could be opened beside a stranger's server, so first
      // try it unshared.
      Deno.listen({ hostname, port }).close();
    }
    return Deno.listen({
      hostname,
      port,
      reusePort: sharing !== "alone",
      tcpBacklog: BACKLOG,
    });
  } catch (cause) {
    if (!(cause instanceof Deno.errors.AddrInUse)) throw cause;
    throw new TcError(
      `Cannot listen on ${hostname}:${port}: another program is there`,
      {
        code: "port_taken",
        source: "user",
        exitCode: EXIT.alreadyRunning,
        cause,
      },
    );
  }
}

/**
 * Listens on a Unix socket that only its owner can open. Returns null, and logs
 * why, where that fails: the port serves without it.
 */
export function listenOnSocket(
  path: string,
  journal: Journal,
): Deno.Listener | null {
  try {
    // Made beside its place and then moved there, so that nobody sees it before
    // it has its mode; a server that hands over keeps its own until it ends.
    const fresh = `${path}.new`;
    removeIfThere(fresh);
    const listener = Deno.listen({ transport: "unix", path: fresh });
    Deno.chmodSync(fresh, 0o600);
    Deno.renameSync(fresh, path);
    return listener;
  } catch (cause) {
    journal.log("warn", "socket", { reason: reasonOf(cause) });
    return null;
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
}

/** What a server needs of its user. */
export interface ServeOptions {
  /** Makes the answer to a request; never rejects. */
  readonly answer: (incoming: IncomingRequest) => Promise<ClientAnswer>;
  /** How long a client may take nothing of its answer. */
  readonly stall: Deadline;
  readonly heads: HeadLimits;
  readonly connections: ConnectionLimits;
  readonly journal: Journal;
}

/** Serves the connections of all `listeners` within one set of limits. */
export class ConnectionServer {
  readonly #listeners: readonly Deno.Listener[];
  readonly #options: ServeOptions;
  readonly #heads: Deadline;
  readonly #silence: Deadline;
  /** For reads of unproven connections, which must leave no garbage. */
  readonly #reads = new SpareBuffers();
  readonly #writes = new SpareBuffers();
  readonly #clients: ClientConnections;
  readonly #ended = Promise.withResolvers<void>();
  #isDraining = false;
  #reportedAtMs = -Infinity;
  #reportedClosed = 0;

  constructor(listeners: readonly Deno.Listener[], options: ServeOptions) {
    this.#listeners = listeners;
    this.#options = options;
    this.#heads = new Deadline(options.heads.headMs);
    this.#silence = new Deadline(options.heads.firstByteMs);
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

  /** Closes every connection at once. */
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

  /**
   * Accepts connections until shutdown. A failed `accept` ends nothing: the
   * process may be out of descriptors, or the connection was reset too early.
   */
  async #accept(listener: Deno.Listener): Promise<void> {
    let isReported = false;
    while (!this.#isDraining) {
      try {
        const stream = await listener.accept();
        const client = new ClientConnection(stream, this.#reads);
        isReported = false;
        await this.#clients.add(client);
        this.#reportClosed();
        this.#serve(client);
      } catch (cause) {
        if (this.#isDraining) return;
        if (!isReported) this.#report(reasonOf(cause));
        isReported = true;
        // Most often the descriptors are used up: closing one helps.
        this.#clients.closeIdle();
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }

  async #serve(client: ClientConnection): Promise<void> {
    const { answer, stall } = this.#options;
    try {
      client.sendAtOnce();
      await serveConnection(client, {
        answer: (incoming) => {
          this.#clients.enter(client, "serving");
          incoming.ended.then(() => this.#clients.enter(client, "resting"));
          return answer(incoming);
        },
        isDraining: () => this.#isDraining,
        isLocal: client.isLocal,
        isProven: () => this.#clients.isProven(client),
        prove: () => this.#clients.prove(client),
        stall,
        buffers: this.#writes,
        silence: this.#silence,
        heads: this.#heads,
      });
    } catch {
      // The client was gone before it could be served.
    } finally {
      client.close();
      this.#clients.remove(client);
      client.recycle();
      this.#endIfEmpty();
    }
  }

  /** Reports how many connections were closed for others, not each of them. */
  #reportClosed(): void {
    const { closed } = this.#clients;
    const nowMs = performance.now();
    const isDue = nowMs - this.#reportedAtMs >= REPORT_MS;
    if (closed === this.#reportedClosed || !isDue) return;
    const count = closed - this.#reportedClosed;
    this.#reportedAtMs = nowMs;
    this.#reportedClosed = closed;
    this.#report(
      `too many connections: ${count} that served no request were closed`,
    );
  }

  #report(reason: string): void {
    this.#options.journal.log("warn", "listener", { reason });
  }
}

/** What a connection needs of its server. */
interface ConnectionHost {
  /** Makes the answer to a request; never rejects. */
  readonly answer: (incoming: IncomingRequest) => Promise<ClientAnswer>;
  /** True once every connection ends with its answer. */
  readonly isDraining: () => boolean;
  readonly isLocal: boolean;
  /** Called when a request on this connection has passed the door. */
  readonly prove: () => void;
  readonly stall: Deadline;
  readonly buffers: SpareBuffers;
  readonly silence: Deadline;
  readonly heads: Deadline;
  /** Whether a request on this connection has passed the door. */
  readonly isProven: () => boolean;
}

/** Serves requests until the connection ends; never rejects. */
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
    // The client is gone, or an answer broke off: both end the connection.
  } finally {
    client.close();
  }
}

/** Returns the next head, or null where the connection ends without one. */
async function headInTime(
  client: ClientConnection,
  host: ConnectionHost,
): Promise<RequestHead | null> {
  const { silence, heads } = host;
  const { patience } = client;
  if (!host.isProven()) silence.watch(patience);
  const begun = (): void => heads.watch(patience);
  try {
    return await nextHead(client, begun);
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    await refuse(client, cause, host);
    return null;
  } finally {
    patience.end();
  }
}

/** Serves one request; returns whether the connection may serve the next. */
async function serveOne(
  client: ClientConnection,
  head: RequestHead,
  host: ConnectionHost,
): Promise<boolean> {
  const presence = new AbortController();
  const ended = Promise.withResolvers<void>();
  let giveUpWaiting = (): void => {};
  let answer: ClientAnswer | null = null;
  let isOver = false;
  function left(): void {
    // Most clients leave when they have their answer: there is nobody to tell.
    if (isOver) return client.close();
    // The body first, so that its end counts as the client's doing.
    giveUp(answer);
    presence.abort(new DOMException("The client left", "AbortError"));
    client.close();
    giveUpWaiting();
  }
  const headers = new RequestHeaders(head.headers);
  const body = new ConnectionBody(client, head.bodyEnd, {
    isAwaited: expectsContinue(head, headers),
    // Only now: bytes that came before belonged to the body.
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
    answer = await new Promise<ClientAnswer | null>((resolve, reject) => {
      giveUpWaiting = () => resolve(null);
      if (presence.signal.aborted) resolve(null);
      answering.then(resolve, reject);
    });
    if (answer === null) {
      answering.then(giveUp);
      return false;
    }
    const isOpen = await writeAnswer(client, answer, {
      head,
      isPersistent: head.isPersistent && body.isDone && !host.isDraining(),
      stall: host.stall,
      buffers: host.buffers,
    });
    answer.onEnd?.("written");
    ended.resolve();
    if (!body.isDone) await client.linger();
    return isOpen;
  } catch (cause) {
    giveUp(answer);
    throw cause;
  } finally {
    isOver = true;
    ended.resolve();
  }
}

/** Gives up what is left of an answer: nobody takes it. */
function giveUp(answer: ClientAnswer | null): void {
  const { body = null } = answer ?? {};
  if (body !== null && !(body instanceof Uint8Array)) body.cancel();
  answer?.onEnd?.("lost");
}

/** Whether the client waits for `100 Continue` before it sends its body. */
function expectsContinue(
  { isVersion10 }: RequestHead,
  headers: RequestHeaders,
): boolean {
  return !isVersion10 &&
    headers.get("expect")?.toLowerCase() === "100-continue";
}

/** Returns the URL, by the authority of the request line or else of `host`. */
function urlOf({ target }: RequestHead, headers: RequestHeaders): string {
  return target.startsWith("/")
    ? `http://${headers.get("host") ?? ""}${target}`
    : target;
}

/** Tells a client what is wrong with its request and ends the connection. */
async function refuse(
  client: ClientConnection,
  { message }: ProtocolError,
  { stall, buffers }: ConnectionHost,
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
    stall,
    buffers,
  });
  await client.linger();
}
