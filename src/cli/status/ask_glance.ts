/**
 * Asks the server for a status line or a hook: one small request. It imports
 * little, because it runs often.
 *
 * @module
 */

import { join } from "node:path";
import type { PoolGlance } from "../../core/quota/glance.ts";
import { type Environment, type Paths, pathsFrom } from "../../system/paths.ts";
import { keyInHeaders } from "../../claude/launch_variables.ts";
import { ServerConnection } from "../../control/server_connection.ts";
import { Secret } from "../../secret.ts";
import { parseJsonc, toValue } from "../../store/files/jsonc.ts";

/** The address of a server, and the key to show. */
interface ServerPlace {
  readonly host: string;
  readonly port: number;
  readonly key: string;
}

const DEFAULT_PORT = 3456;
const LOOPBACK = /^http:\/\/(127\.0\.0\.1|localhost|\[::1\])(?::(\d{1,5}))?/;
const KEY_IN_PATH = /\/k\/([A-Za-z0-9_-]{8,256})/;

/**
 * Returns the server that this session uses, or else the running one of the
 * pool, or else the one of the config.
 */
export function serverPlace(
  environment: Environment,
  system: string,
): ServerPlace {
  const paths = pathsFrom(environment, system);
  const baseUrl = environment["ANTHROPIC_BASE_URL"] ?? "";
  const local = LOOPBACK.exec(baseUrl);
  const config = local === null ? fileConfig(paths) : NO_CONFIG;
  const named = environment["TC_PROXY_PORT"];
  const noted = local === null && !named ? LOOPBACK.exec(noteOf(paths)) : null;
  const address = local ?? noted;
  return {
    host: address === null
      ? config.host
      : (address[1] ?? "").replace(/[[\]]/g, ""),
    port: address === null
      ? Number(named || config.port)
      : Number(address[2] ?? 80),
    key: launchKey(environment) ?? (config.key || fileKey(paths)),
  };
}

/**
 * Returns the key that this session was launched with, or null: in the header
 * that `tc run` and `tc env` set, or in the path of the base URL.
 */
export function launchKey(environment: Environment): string | null {
  return keyInHeaders(environment["ANTHROPIC_CUSTOM_HEADERS"] ?? "") ??
    KEY_IN_PATH.exec(environment["ANTHROPIC_BASE_URL"] ?? "")?.[1] ?? null;
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
    // There is no file, or the server cannot use it either.
    return NO_CONFIG;
  }
}

/** Returns the origin that the pool's server has noted, or an empty text. */
function noteOf({ stateFolder }: Paths): string {
  try {
    const note = Deno.readTextFileSync(join(stateFolder, "server.json"));
    const { origin } = JSON.parse(note) as { readonly origin?: unknown };
    return String(origin ?? "");
  } catch {
    // No server runs, or it could not write the note.
    return "";
  }
}

function fileKey({ secretsFolder }: Paths): string {
  try {
    return Deno.readTextFileSync(join(secretsFolder, "key")).trim();
  } catch {
    return "";
  }
}

/** Returns null when no server of this pool answers in time. Never throws. */
export async function askGlance(
  { host, port, key }: ServerPlace,
  session: string | null,
  timeoutMs: number,
): Promise<PoolGlance | null> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), timeoutMs);
  try {
    using connection = await ServerConnection.open(
      { host, port },
      new Secret(key),
      late.signal,
    );
    const query = session === null ? "" : `?session=${session}`;
    const { status, text } = await connection.ask({
      method: "GET",
      path: `/tc/v1/glance${query}`,
      body: null,
    });
    return status === 200 ? glanceIn(text) : null;
  } catch {
    // There is no server, another program, or a busy server.
    return null;
  } finally {
    clearTimeout(timer);
  }
}

/** Returns the JSON object of the answer, or null for anything else. */
function glanceIn(text: string): PoolGlance | null {
  const value: unknown = JSON.parse(text);
  const { schema, account, windows } = value as Record<string, unknown>;
  if (schema !== "tc.glance/v1" || !Array.isArray(windows)) return null;
  if (account !== null && typeof account !== "string") return null;
  return value as PoolGlance;
}
