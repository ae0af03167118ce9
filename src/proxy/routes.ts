/**
 * Listens for clients and routes their requests: the door first, on every path;
 * then the control plane, the paths that need the client's own credential,
 * health checks, and everything else to the pool.
 *
 * @module
 */

import { MINUTE_MS } from "../core/time.ts";
import { stackOf, UpstreamError } from "../errors.ts";
import { connectionLimits } from "../http/client_connection.ts";
import type { IncomingRequest } from "../http/request.ts";
import type { ClientAnswer } from "../http/response.ts";
import {
  ConnectionServer,
  listenOnPort,
  listenOnSocket,
  type PortSharing,
  type ServeOptions,
} from "../http/server.ts";
import type { Clock, HeaderList, Journal, Secret } from "../ports.ts";
import { refusal } from "../wire/answer/api_error.ts";
import { isWebSocketUpgrade, passthroughHeaders } from "../wire/headers.ts";
import {
  isNoiseTarget,
  isOwnCredentialTarget,
  isTokenTarget,
} from "../wire/request/target.ts";
import { bodyRefusal, readBody } from "./body.ts";
import { type Admission, admit, type Door, DoorKey } from "./door.ts";
import type { Proxy } from "./proxy.ts";
import { serveRequest } from "./pursue.ts";
import { answerOf, isBodiless } from "./relay.ts";
import { faultAnswer } from "./respond.ts";

/** A client may connect this long before its first request. */
const FIRST_BYTE_MS = 30_000;
/** Time for a whole head, from its first byte on. */
const HEAD_MS = 10_000;

type Admitted = Admission & { readonly kind: "admitted" };

/** What is listened on, and who answers. */
interface ListenOptions {
  readonly proxy: Proxy;
  /** Where token refreshes of clients go: scheme, host, port and path. */
  readonly tokenUrl: URL;
  /** Answers the control plane's paths; returns null for any other path. */
  readonly control: (
    incoming: IncomingRequest,
    admission: Pick<Admitted, "target" | "isGuest">,
  ) => Promise<ClientAnswer> | null;
  readonly door: Omit<Door, "port" | "key"> & { readonly key: Secret };
  readonly port: number;
  /** The most open requests; further ones are told to come again. */
  readonly requestsMax: number;
  readonly sharing: PortSharing;
  /** Descriptors that the process may open; null if unknown. */
  readonly openFiles: number | null;
  /** A Unix socket to listen on beside the port, or null. */
  readonly socket: string | null;
}

/** A listening server. */
export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Requests whose answer has not ended. */
  openRequests(): number;
  /** Takes no new connection; resolves when every answer has ended. */
  shutdown(): Promise<void>;
  /** Closes every connection at once. */
  abort(): void;
}

/** Starts to listen. Throws TcError `port_taken` if another program has the port. */
export function listen(options: ListenOptions): Listener {
  const { proxy } = options;
  const { host } = options.door;
  const hostname = host.replace(/^\[|\]$/g, "");
  const listener = listenOnPort(hostname, options.port, options.sharing);
  const { port } = listener.addr;
  const key = new DoorKey(options.door.key);
  const counter = { open: 0 };
  const context = { door: { ...options.door, port, key }, options, counter };
  const refusals = new RefusalLog(proxy.clock, proxy.journal);
  const serving: ServeOptions = {
    answer: async (incoming) => {
      try {
        const answer = await dispatch(incoming, context);
        if (answer.refusal !== undefined) refusals.add(incoming, answer);
        return answer;
      } catch (cause) {
        proxy.journal.log("error", "fault", { fault: stackOf(cause) });
        return faultAnswer();
      }
    },
    stall: proxy.stall,
    heads: {
      firstByteMs: Math.min(FIRST_BYTE_MS, proxy.budget.limits.bodyMs),
      headMs: Math.min(HEAD_MS, proxy.budget.limits.bodyMs),
    },
    connections: connectionLimits(options.openFiles),
    journal: proxy.journal,
  };
  const socket = options.socket === null
    ? null
    : listenOnSocket(options.socket, proxy.journal);
  const server = new ConnectionServer(
    socket === null ? [listener] : [listener, socket],
    serving,
  );
  return {
    host,
    port,
    openRequests: () => counter.open,
    shutdown: () => server.shutdown(),
    abort: () => server.abort(),
  };
}

/** What routing a request depends on. */
interface DispatchContext {
  readonly door: Door;
  readonly options: ListenOptions;
  readonly counter: { open: number };
}

async function dispatch(
  incoming: IncomingRequest,
  context: DispatchContext,
): Promise<ClientAnswer> {
  const { door } = context;
  const admission = admit(incoming, door);
  switch (admission.kind) {
    case "refused":
      return doorRefusal(incoming, admission);
    case "challenged":
      return proofAnswer(admission.nonce, door);
    case "linked":
      return linkedAnswer(admission.ticket, door);
    case "preflight":
      return preflightAnswer(incoming, admission.origin);
    case "admitted":
      break;
  }
  incoming.prove();
  const answer = await admittedAnswer(incoming, admission, context);
  if (admission.origin === null) return answer;
  const headers = [...answer.headers, ...corsLines(admission.origin)];
  return { ...answer, headers };
}

async function admittedAnswer(
  incoming: IncomingRequest,
  admission: Admitted,
  { options, counter }: DispatchContext,
): Promise<ClientAnswer> {
  // The control plane bypasses the limit, so tc status and tc stop always work.
  const controlled = options.control(incoming, admission);
  if (controlled !== null) return await controlled;
  if (counter.open >= options.requestsMax) {
    return refusal({
      status: 503,
      type: "overloaded_error",
      message: "tc is at its concurrent request limit (proxy.requestsMax)",
      retryAfterSec: 2,
    });
  }
  counter.open++;
  incoming.ended.then(() => counter.open--);
  return await routed(incoming, admission, options);
}

/** Returns the answer to an admitted request, by its method and path. */
function routed(
  incoming: IncomingRequest,
  { target, keyHeaders, hasKey }: Admitted,
  { proxy, tokenUrl }: ListenOptions,
): Promise<ClientAnswer> | ClientAnswer {
  const { method, headers } = incoming;
  // Only browsers send it, and also unasked: for a page's icon, or to follow
  // another program's link. Such a request is not meant for the API.
  if (!hasKey && headers.has("sec-fetch-site")) {
    return refusal({
      status: 403,
      type: "permission_error",
      message: "tc: A browser needs the local key here: see tc env",
    });
  }
  if (isWebSocketUpgrade(headers.list)) {
    return refusal({
      status: 501,
      type: "api_error",
      message: "tc does not relay WebSockets: connect to the API itself",
    });
  }
  if (isTokenTarget(method, target)) {
    const query = target.slice(target.split("?", 1)[0]?.length);
    return passThrough(incoming, {
      target: `${tokenUrl.pathname}${query}`,
      origin: tokenUrl.origin,
    }, proxy);
  }
  if (isOwnCredentialTarget(target)) {
    const hasOwn = (["authorization", "x-api-key"] as const).some((name) =>
      headers.has(name) && !keyHeaders.includes(name)
    );
    if (!hasOwn) {
      return refusal({
        status: 403,
        type: "permission_error",
        message:
          "This path requires the client's own credential; tc cannot use a pooled account here",
      });
    }
    return passThrough(incoming, {
      target: `${proxy.basePath}${target}`,
      origin: proxy.origin,
    }, proxy);
  }
  if (isNoiseTarget(method, target)) return healthAnswer(incoming, proxy);
  return serveRequest(incoming, target, proxy);
}

const HEALTHY = new TextEncoder().encode('{"status":"ok","service":"tc"}');

/** Answers health checks and telemetry, which need no account. */
async function healthAnswer(
  { body }: IncomingRequest,
  { budget }: Proxy,
): Promise<ClientAnswer> {
  using share = budget.share();
  const reading = await readBody(body, share, budget);
  if (reading.kind !== "body") return bodyRefusal(reading);
  return {
    status: 200,
    headers: [["content-type", "application/json"]],
    body: HEALTHY,
  };
}

/**
 * Passes a request on to `origin` with the credential that the client shows:
 * token refreshes, Remote Control, file transfers. It belongs to no account,
 * and its body is needed only until the answer begins: it is not sent again.
 */
async function passThrough(
  { method, headers, body, signal }: IncomingRequest,
  { target, origin }: { readonly target: string; readonly origin: string },
  { upstream, budget, localKey, journal }: Proxy,
): Promise<ClientAnswer> {
  using share = budget.share();
  const reading = await readBody(body, share, budget);
  if (reading.kind !== "body") return bodyRefusal(reading);
  try {
    const response = await upstream.send({
      origin,
      method,
      target,
      headers: passthroughHeaders(headers.list, localKey),
      body: reading.bytes.length === 0 ? null : reading.bytes,
      signal,
    });
    if (isBodiless(method, response.status)) {
      response.body.cancel();
      return answerOf(null, response);
    }
    return answerOf(response.body.complete ?? response.body, response);
  } catch (cause) {
    const sent = !(cause instanceof UpstreamError) || cause.sent;
    const path = target.split("?", 1)[0] ?? "";
    journal.log("warn", "relay", { path, sent });
    return refusal({
      status: 502,
      type: "api_error",
      message: sent
        ? "tc lost the connection to the API; the request was not sent again"
        : "tc cannot reach the API",
    });
  }
}

/** Returns the lines that let a page read the answer; each page gets its own. */
function corsLines(origin: string): HeaderList {
  return [["access-control-allow-origin", origin], ["vary", "origin"]];
}

/** Returns the answer to a browser that asks whether a page may call. */
function preflightAnswer(
  { headers }: IncomingRequest,
  origin: string,
): ClientAnswer {
  const method = headers.get("access-control-request-method") ?? "";
  const asked = headers.get("access-control-request-headers");
  return {
    status: 204,
    headers: [
      ...corsLines(origin),
      ["access-control-allow-methods", method],
      ...asked === null
        ? []
        : [["access-control-allow-headers", asked] as const],
      ["access-control-max-age", "600"],
    ],
    body: null,
  };
}

/** Shows that this server has the key; the proof is useless on another port. */
function proofAnswer(nonce: string, { key, port }: Door): ClientAnswer {
  const proof = key.prove({ port, nonce });
  const text = JSON.stringify({ schema: "tc.proof/v1", proof });
  return {
    status: 200,
    headers: [["content-type", "application/json"]],
    body: new TextEncoder().encode(text),
  };
}

/**
 * Lets a browser in that followed a link, and sends it on to the page. The key
 * of the page is in the fragment: it is in no request, log or history entry.
 */
function linkedAnswer(ticket: string, { pages, port }: Door): ClientAnswer {
  const opened = pages.open(ticket, port);
  if (opened === null) {
    return forBrowser("This link was used or is older than a minute.");
  }
  return {
    status: 303,
    headers: [
      ["location", `/ui#${opened.key}`],
      ["set-cookie", opened.cookie],
      ["cache-control", "no-store"],
      ["referrer-policy", "no-referrer"],
    ],
    body: null,
  };
}

/** Refuses a browser in words that a person reads, without a script. */
function forBrowser(sentence: string): ClientAnswer {
  const html = "<!doctype html><html lang=en><meta charset=utf-8>" +
    '<meta name=viewport content="width=device-width"><title>tc</title>' +
    `<h1>tc</h1><p>${sentence}</p>` +
    "<p><code>tc ui</code> in a terminal opens the page.</p></html>";
  return {
    status: 401,
    headers: [
      ["content-type", "text/html; charset=utf-8"],
      ["content-security-policy", "default-src 'none'"],
      ["cache-control", "no-store"],
    ],
    body: new TextEncoder().encode(html),
    refusal: sentence,
  };
}

/** Whether a person's browser asks for the page itself. */
function isPageVisit({ method, url, headers }: IncomingRequest): boolean {
  return method === "GET" && /^http:\/\/[^/]*\/ui\/?$/.test(url) &&
    (headers.get("accept") ?? "").includes("text/html");
}

function doorRefusal(
  incoming: IncomingRequest,
  { status, message }: Admission & { readonly kind: "refused" },
): ClientAnswer {
  if (status === 401 && isPageVisit(incoming)) {
    return forBrowser("This browser was not let in yet.");
  }
  const type = status === 401
    ? "authentication_error"
    : status === 404
    ? "not_found_error"
    : "permission_error";
  return refusal({ status, type, message: `tc: ${message}` });
}

/** The most log lines a minute about refusals; further ones are counted. */
const REFUSAL_LINES_MAX = 20;

/** Logs refusals. Anybody who can connect can cause them, so lines are limited. */
class RefusalLog {
  readonly #clock: Clock;
  readonly #journal: Journal;
  #startedMs = -Infinity;
  #lines = 0;
  #omitted = 0;

  constructor(clock: Clock, journal: Journal) {
    this.#clock = clock;
    this.#journal = journal;
  }

  /** Writes a line, or counts the refusal if this minute has had its share. */
  add(
    { method, url }: IncomingRequest,
    { status, refusal = "" }: ClientAnswer,
  ): void {
    const now = this.#clock.monotonicMs();
    if (now - this.#startedMs >= MINUTE_MS) {
      if (this.#omitted > 0) {
        this.#journal.log("warn", "refused", { more: this.#omitted });
      }
      this.#startedMs = now;
      this.#lines = 0;
      this.#omitted = 0;
    }
    if (this.#lines === REFUSAL_LINES_MAX) {
      this.#omitted += 1;
      return;
    }
    this.#lines += 1;
    this.#journal.log("warn", "refused", {
      method: method.slice(0, 16),
      path: pathOf(url),
      status,
      why: refusal,
    });
  }
}

/** Returns the path, cut to a line and without what may be a key. */
function pathOf(url: string): string {
  const path = /^[a-z]+:\/\/[^/?#]*([^?#]*)/i.exec(url)?.[1] ?? url;
  return path.replace(/^\/+k(\/[^/]*)?/, "/k/…").slice(0, 200);
}
