/**
 * The fast way to the server for a status line: one small request on a socket
 * of its own, without what the other commands need. Imports little on purpose.
 *
 * @module
 */

import { join } from "node:path";
import type { PoolGlance } from "../core/glance.ts";
import { type Environment, type Paths, pathsFrom } from "../app/paths.ts";
import { parseJsonc, toValue } from "../store/jsonc.ts";

/** Where a server is and how to show that one may ask. */
export interface ServerPlace {
  readonly host: string;
  readonly port: number;
  readonly key: string;
}

const DEFAULT_PORT = 3456;
const LOOPBACK = /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(?::(\d{1,5}))?/;
const KEY_IN_PATH = /\/k\/([A-Za-z0-9_-]{8,256})/;
const ANSWER_BYTES_MAX = 64 * 1024;

/** The server that this very session uses, else the one of the config. */
export function serverPlace(
  environment: Environment,
  system: string,
): ServerPlace {
  const paths = pathsFrom(environment, system);
  const baseUrl = environment["ANTHROPIC_BASE_URL"] ?? "";
  const local = LOOPBACK.exec(baseUrl);
  const config = local === null ? fileConfig(paths) : NO_CONFIG;
  return {
    host: local === null ? config.host : (local[1] ?? "").replace(/[[\]]/g, ""),
    port: local === null
      ? Number(environment["TC_PROXY_PORT"] || config.port)
      : Number(local[2] ?? 80),
    key: KEY_IN_PATH.exec(baseUrl)?.[1] ?? (config.key || fileKey(paths)),
  };
}

const NO_CONFIG = { host: "127.0.0.1", port: DEFAULT_PORT, key: "" };

function fileConfig({ configFile }: Paths): typeof NO_CONFIG {
  try {
    const document = toValue(parseJsonc(Deno.readTextFileSync(configFile)));
    const { proxy } = document as { proxy?: Record<string, unknown> };
    const { host, port, apiKey } = proxy ?? {};
    const isWide = host === "0.0.0.0" || host === "";
    return {
      host: typeof host === "string" && !isWide ? host : NO_CONFIG.host,
      port: typeof port === "number" ? port : DEFAULT_PORT,
      key: typeof apiKey === "string" ? apiKey : "",
    };
  } catch {
    // No file, or one that the server could not use either.
    return NO_CONFIG;
  }
}

function fileKey({ secretsFolder }: Paths): string {
  try {
    return Deno.readTextFileSync(join(secretsFolder, "key")).trim();
  } catch {
    return "";
  }
}

/** Null when no server answers in time. Never throws. */
export async function askGlance(
  place: ServerPlace,
  session: string | null,
  timeoutMs: number,
): Promise<PoolGlance | null> {
  let connection: Deno.TcpConn | null = null;
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => {
    resolve(null);
    close(connection);
  }, timeoutMs);
  async function ask(): Promise<PoolGlance | null> {
    const { host: hostname, port } = place;
    connection = await Deno.connect({ hostname, port });
    return glanceIn(await exchange(connection, place, session));
  }
  try {
    return await Promise.race([ask().catch(() => null), late]);
  } finally {
    clearTimeout(timer);
    close(connection);
  }
}

function close(connection: Deno.TcpConn | null): void {
  try {
    connection?.close();
  } catch {
    // Closed already.
  }
}

async function exchange(
  connection: Deno.TcpConn,
  { host, port, key }: ServerPlace,
  session: string | null,
): Promise<string> {
  const query = session === null ? "" : `?session=${session}`;
  const where = host.includes(":") ? `[${host}]` : host;
  const request = `GET /tc/v1/glance${query} HTTP/1.1\r\n` +
    `host: ${where}:${port}\r\nx-api-key: ${key}\r\nconnection: close\r\n\r\n`;
  await writeAll(connection, new TextEncoder().encode(request));
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(16 * 1024);
  let answer = "";
  while (answer.length < ANSWER_BYTES_MAX) {
    const read = await connection.read(chunk);
    if (read === null) break;
    answer += decoder.decode(chunk.subarray(0, read), { stream: true });
  }
  return answer;
}

async function writeAll(
  connection: Deno.TcpConn,
  bytes: Uint8Array,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += await connection.write(bytes.subarray(done));
  }
}

/** The JSON object of the answer; whatever else it is counts as none. */
function glanceIn(answer: string): PoolGlance | null {
  if (!answer.startsWith("HTTP/1.1 200 ")) return null;
  const body = answer.slice(answer.indexOf("\r\n\r\n"));
  const json = body.slice(body.indexOf("{"), body.lastIndexOf("}") + 1);
  const value: unknown = JSON.parse(json);
  const { schema, account, windows } = value as Record<string, unknown>;
  if (schema !== "tc.glance/v1" || !Array.isArray(windows)) return null;
  if (account !== null && typeof account !== "string") return null;
  return value as PoolGlance;
}
