/**
 * Opens a connection to an origin, through a corporate proxy if there is one,
 * and says which step failed.
 *
 * A proxy is asked for a tunnel by CONNECT (RFC 9110 9.3.6), for plain http
 * upstreams too: so a request is byte for byte the same with and without a
 * proxy, and the proxy's password cannot reach the upstream. The price is that
 * a proxy that allows CONNECT only to port 443 cannot serve a plain http
 * upstream.
 *
 * @module
 */

import { reasonOf, UpstreamError, type UpstreamStep } from "../errors.ts";
import type { Clock } from "../ports.ts";
import type { ProxyFor } from "./proxy_rules.ts";
import { type TimeLimit, withinLimit } from "./deadline.ts";
import { Buffer } from "node:buffer";
import { findHeadEnd, parseResponseHead } from "./response.ts";

/** The parts of an origin such as `https://api.anthropic.com`. */
export interface Origin {
  readonly name: string;
  readonly isTls: boolean;
  /** Without the brackets of an IPv6 address. */
  readonly hostname: string;
  readonly port: number;
  /** The value of the `host` header. */
  readonly host: string;
}

/** How connections are opened. */
export interface DialOptions {
  readonly clock: Clock;
  readonly proxyFor: ProxyFor;
  /** Certificates of authorities that are trusted besides the usual ones, in PEM. */
  readonly caCerts: readonly string[];
  /** Limit for resolving and connecting, and again for the proxy's answer. */
  readonly connectMs: number;
  readonly tlsMs: number;
}

/** Returns the parts of an origin. Throws UpstreamError if it is not one. */
export function parseOrigin(name: string): Origin {
  const url = URL.parse(name);
  const isTls = url?.protocol === "https:";
  const isOrigin = url !== null && (isTls || url.protocol === "http:") &&
    url.pathname === "/" && url.search === "" && url.hash === "" &&
    url.username === "" && url.password === "";
  if (!isOrigin) {
    throw new UpstreamError(`Cannot use ${name}: not an http or https origin`, {
      sent: false,
      step: "resolve",
    });
  }
  return {
    name,
    isTls,
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port) || (isTls ? 443 : 80),
    host: url.host,
  };
}

/**
 * Returns a connection to `origin`, ready for a request. Throws UpstreamError
 * with the step that failed; nothing of a request has been sent then.
 */
export async function dial(
  origin: Origin,
  options: DialOptions,
  signal: AbortSignal,
): Promise<Deno.Conn> {
  const proxy = options.proxyFor(origin.name);
  const connectLimit = {
    clock: options.clock,
    limitMs: options.connectMs,
    signal,
  };
  const stream = proxy === null
    ? await connectTo(origin, origin, connectLimit)
    : await connectThrough(proxy, origin, connectLimit);
  if (!origin.isTls) return stream;

  const tlsLimit = { ...connectLimit, limitMs: options.tlsMs };
  try {
    return await withinLimit(tlsLimit, async (limited) => {
      return await secure(stream, { origin, options, signal: limited });
    });
  } catch (cause) {
    throw dialError(origin, "tls", { cause, signal });
  }
}

interface Address {
  readonly hostname: string;
  readonly port: number;
}

async function connectTo(
  origin: Origin,
  { hostname, port }: Address,
  limit: TimeLimit,
): Promise<Deno.TcpConn> {
  try {
    const stream = await withinLimit(limit, async (limited) => {
      return await Deno.connect({ hostname, port, signal: limited });
    });
    stream.setNoDelay(true);
    // Ends a connection that no close reaches: see `secure`.
    stream.setKeepAlive(true);
    return stream;
  } catch (cause) {
    const isNameFault = cause instanceof Error &&
      /lookup address|name resolution/i.test(cause.message);
    const step = isNameFault ? "resolve" : "connect";
    throw dialError(origin, step, { cause, signal: limit.signal });
  }
}

async function connectThrough(
  proxy: URL,
  origin: Origin,
  limit: TimeLimit,
): Promise<Deno.TcpConn> {
  if (proxy.protocol !== "http:") {
    const cause = new Error(`its scheme is ${proxy.protocol} and not http:`);
    throw dialError(origin, "proxy", { cause, signal: limit.signal });
  }
  const stream = await connectTo(origin, {
    hostname: proxy.hostname.replace(/^\[|\]$/g, ""),
    port: Number(proxy.port) || 80,
  }, limit);
  try {
    await withinLimit(limit, async (limited) => {
      await openTunnel(stream, { proxy, origin, signal: limited });
    });
    return stream;
  } catch (cause) {
    close(stream);
    throw dialError(origin, "proxy", { cause, signal: limit.signal });
  }
}

/**
 * Starts TLS on a plain connection, since only a plain one has `setNoDelay`.
 * The socket of a handshake that is given up stays open until the upstream ends
 * it (Deno 2.9 tries to send its goodbye first) or keep-alive finds it dead.
 */
async function secure(
  stream: Deno.TcpConn,
  { origin, options, signal }: {
    readonly origin: Origin;
    readonly options: DialOptions;
    readonly signal: AbortSignal;
  },
): Promise<Deno.TlsConn> {
  const secured = await startTls(stream, origin, options);
  const stop = () => close(secured);
  signal.addEventListener("abort", stop);
  try {
    signal.throwIfAborted();
    await secured.handshake();
    signal.throwIfAborted();
    return secured;
  } catch (cause) {
    close(secured);
    throw signal.aborted ? signal.reason : cause;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function startTls(
  stream: Deno.TcpConn,
  origin: Origin,
  options: DialOptions,
): Promise<Deno.TlsConn> {
  try {
    return await Deno.startTls(stream, {
      hostname: origin.hostname,
      caCerts: [...options.caCerts],
      alpnProtocols: ["http/1.1"],
    });
  } catch (cause) {
    close(stream);
    throw cause;
  }
}

function close(stream: Deno.Conn): void {
  try {
    stream.close();
  } catch {
    // A time limit or an abort has closed it before.
  }
}

function dialError(
  origin: Origin,
  step: UpstreamStep,
  { cause, signal }: { readonly cause: unknown; readonly signal: AbortSignal },
): UpstreamError {
  const isAborted = signal.aborted;
  const reason = isAborted ? "the request was given up" : reasonOf(cause);
  const what = step === "proxy" ? "go through the proxy" : "connect";
  return new UpstreamError(`Cannot ${what} to ${origin.name}: ${reason}`, {
    sent: false,
    step: isAborted ? "aborted" : step,
    cause,
  });
}

const ANSWER_BYTES_MAX = 16 * 1024;

interface TunnelOptions {
  readonly proxy: URL;
  readonly origin: { readonly hostname: string; readonly port: number };
  readonly signal: AbortSignal;
}

/**
 * Turns `stream`, which is connected to `proxy`, into a connection to the
 * origin. Throws with the reason; the caller must close the stream then.
 */
async function openTunnel(
  stream: Deno.Conn,
  { proxy, origin, signal }: TunnelOptions,
): Promise<void> {
  const stop = () => stream.close();
  signal.addEventListener("abort", stop);
  try {
    await writeAll(stream, Buffer.from(connectHead(proxy, origin), "latin1"));
    const status = await readStatus(stream);
    if (status >= 200 && status < 300) return;
    const hint = status === 407 ? " (name and password in its URL?)" : "";
    throw new Error(`the proxy answered ${status}${hint}`);
  } catch (cause) {
    throw signal.aborted ? signal.reason : cause;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function connectHead(
  proxy: URL,
  { hostname, port }: TunnelOptions["origin"],
): string {
  const name = hostname.includes(":") ? `[${hostname}]` : hostname;
  const head = `CONNECT ${name}:${port} HTTP/1.1\r\nhost: ${name}:${port}\r\n`;
  if (proxy.username === "" && proxy.password === "") return head + "\r\n";
  const user = decodeURIComponent(proxy.username);
  const password = decodeURIComponent(proxy.password);
  const credentials = Buffer.from(`${user}:${password}`).toString("base64");
  return head + `proxy-authorization: Basic ${credentials}\r\n\r\n`;
}

async function writeAll(stream: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await stream.write(bytes.subarray(at));
  }
}

/** Returns the status of the proxy's answer; nothing may follow its head yet. */
async function readStatus(stream: Deno.Conn): Promise<number> {
  const bytes = Buffer.alloc(ANSWER_BYTES_MAX);
  let to = 0;
  while (to < bytes.length) {
    const count = await stream.read(bytes.subarray(to));
    if (count === null) throw new Error("the proxy closed the connection");
    const scanFrom = to;
    to += count;
    const headEnd = findHeadEnd(bytes, { from: 0, to }, scanFrom);
    if (headEnd < 0) continue;
    const head = parseResponseHead(bytes, { from: 0, to: headEnd }, "CONNECT");
    const isOpen = head.status >= 200 && head.status < 300;
    if (isOpen && headEnd < to) {
      throw new Error("the proxy sent bytes that nobody asked for");
    }
    return head.status;
  }
  throw new Error(`the proxy's answer is over ${ANSWER_BYTES_MAX} bytes`);
}
