/**
 * The data plane: a tunnel through a corporate proxy by CONNECT (RFC 9110
 * 9.3.6). Plain http upstreams are tunnelled too and not sent in absolute form:
 * so the request stays byte for byte what it is without a proxy, and the
 * proxy's password can never reach the upstream. The price: a proxy that allows
 * CONNECT to port 443 alone does not serve a plain http upstream.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { findHeadEnd, parseResponseHead } from "./http1.ts";

const ANSWER_BYTES_MAX = 16 * 1024;

export interface TunnelOptions {
  readonly proxy: URL;
  readonly origin: { readonly hostname: string; readonly port: number };
  readonly signal: AbortSignal;
}

/**
 * Makes `stream`, connected to `proxy`, a connection to the origin. Throws with
 * the reason; the caller closes the stream then.
 */
export async function openTunnel(
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

/** The status of the proxy's answer; behind its head nothing may follow yet. */
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
