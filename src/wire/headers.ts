/**
 * Which header lines are sent on. The credential is replaced, hop-by-hop lines
 * and tc's own are removed, and no other line is added, removed or changed.
 *
 * @module
 */

import { TcError } from "../errors.ts";
import type { Authorization, HeaderList, Secret } from "../ports.ts";
import { headerTokens } from "./header_list.ts";

/** Without it an OAuth bearer is refused with 401 (teamclaude-family 1.5). */
export const OAUTH_BETA = "oauth-2025-04-20";

/** RFC 9110 section 7.6.1, and what HTTP/1.1 implementations add to it. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * Lines of a request that are not sent on: hop-by-hop lines, those that the
 * connection pool writes itself, and `expect`, which our server has answered:
 * the body is already here, so the upstream need not agree to it.
 */
const NOT_SENT_ON: ReadonlySet<string> = new Set([
  ...HOP_BY_HOP,
  "content-length",
  "expect",
  "host",
]);

/**
 * Credentials of a client. `authorization` and `x-api-key` may hold its own
 * login or the local key. A `cookie` sent to a loopback address may belong to
 * any program on this machine, since cookies do not depend on the port.
 */
const CLIENT_CREDENTIALS: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "x-api-key",
]);

/** Lines for tc (affinity, keys), also under the names of similar programs. */
const OWN_PREFIXES = ["x-tc-", "x-maxpool-", "x-teamclaude-"];

/** Never removed by `Connection`, since that would make the body unreadable. */
const NEVER_NOMINATED: ReadonlySet<string> = new Set([
  "content-encoding",
  "content-length",
  "content-type",
]);

/**
 * Returns the lines to send upstream with the account's credential. They have
 * exactly one credential, in the place of the client's first one, else last.
 * Lines such as `x-forwarded-for` are not credentials and are sent on. A line
 * with `localKey` in its value is removed.
 *
 * Throws TcError if a header cannot hold the token.
 */
export function requestHeaders(
  inbound: HeaderList,
  authorization: Authorization,
  localKey: Secret | null = null,
): HeaderList {
  const credential = credentialLine(authorization);
  const credentialName = credential.name.toLowerCase();
  const nominated = nominatedBy(inbound);
  const key = localKey?.reveal() ?? "";
  const sent: (readonly [string, string])[] = [];
  let isPlaced = false;
  for (const line of inbound) {
    const [name, value] = line;
    const lower = name.toLowerCase();
    if (NOT_SENT_ON.has(lower) || nominated?.has(lower) === true) continue;
    if (CLIENT_CREDENTIALS.has(lower)) {
      if (isPlaced || lower === "cookie") continue;
      isPlaced = true;
      // Keep the client's spelling if it uses the same kind of credential.
      sent.push([
        lower === credentialName ? name : credential.name,
        credential.value,
      ]);
      continue;
    }
    if (!isOwnLine(lower, value, key)) sent.push(line);
  }
  if (!isPlaced) sent.push([credential.name, credential.value]);
  return authorization.scheme === "oauth"
    ? withOAuthBeta(sent)
    : withoutOAuthBeta(sent);
}

/**
 * Returns the lines to send upstream with the client's own credential: its
 * `authorization`, `x-api-key` and `cookie` are sent on. A line with `localKey`
 * is removed, since that key must not leave this machine.
 */
export function passthroughHeaders(
  inbound: HeaderList,
  localKey: Secret | null = null,
): HeaderList {
  const nominated = nominatedBy(inbound);
  const key = localKey?.reveal() ?? "";
  return inbound.filter(([name, value]) => {
    const lower = name.toLowerCase();
    return !NOT_SENT_ON.has(lower) && nominated?.has(lower) !== true &&
      !isOwnLine(lower, value, key);
  });
}

/**
 * Returns the lines of an answer to send to the client. `content-encoding` and
 * `content-length` stay, since the body is passed on unchanged.
 */
export function responseHeaders(upstream: HeaderList): HeaderList {
  const nominated = nominatedBy(upstream);
  return upstream.filter(([name]) => {
    const lower = name.toLowerCase();
    return !HOP_BY_HOP.has(lower) && nominated?.has(lower) !== true;
  });
}

/**
 * Whether the client asks for a WebSocket. An offer of another protocol, such
 * as `h2c`, may be ignored (RFC 9110 section 7.8): the request is then served
 * over HTTP/1.1.
 */
export function isWebSocketUpgrade(headers: HeaderList): boolean {
  return headerTokens(headers, "upgrade")
    .some((token) => token.split("/")[0] === "websocket");
}

/** Returns the lines that `connection` removes, or null if there are none. */
function nominatedBy(headers: HeaderList): ReadonlySet<string> | null {
  const tokens = headerTokens(headers, "connection");
  if (tokens.length === 0) return null;
  return new Set(tokens.filter((token) => !NEVER_NOMINATED.has(token)));
}

/** Whether a line is only for tc, or holds `key`. */
function isOwnLine(lower: string, value: string, key: string): boolean {
  if (lower.startsWith("x-")) {
    if (OWN_PREFIXES.some((prefix) => lower.startsWith(prefix))) return true;
  }
  return key !== "" && value.includes(key);
}

function credentialLine(
  { accountId, scheme, token }: Authorization,
): { readonly name: string; readonly value: string } {
  const text = token.reveal();
  if (!/^[\x21-\x7e]+$/.test(text)) {
    throw new TcError(
      `Cannot use the credential of ${accountId}: it has characters that no header may hold`,
      { code: "bad_credential", hint: "tc login replaces it" },
    );
  }
  switch (scheme) {
    case "api_key":
      return { name: "x-api-key", value: text };
    case "bearer":
    case "oauth":
      return { name: "Authorization", value: `Bearer ${text}` };
  }
}

function isBetaLine(line: readonly [string, string]): boolean {
  return line[0].toLowerCase() === "anthropic-beta";
}

/** Puts the OAuth beta first in the first `anthropic-beta`, unless it is there. */
function withOAuthBeta(headers: HeaderList): HeaderList {
  if (headerTokens(headers, "anthropic-beta").includes(OAUTH_BETA)) {
    return headers;
  }
  const first = headers.findIndex(isBetaLine);
  if (first === -1) return [...headers, ["anthropic-beta", OAUTH_BETA]];
  return headers.map((line, index) => {
    if (index !== first) return line;
    const others = line[1].trim() === "" ? "" : `,${line[1]}`;
    return [line[0], OAUTH_BETA + others];
  });
}

/** Removes the OAuth beta, which is wrong with another kind of credential. */
function withoutOAuthBeta(headers: HeaderList): HeaderList {
  return headers.flatMap((line) => {
    if (!isBetaLine(line) || !line[1].toLowerCase().includes(OAUTH_BETA)) {
      return [line];
    }
    const kept = line[1].split(",")
      .filter((beta) => beta.trim().toLowerCase() !== OAUTH_BETA)
      .join(",").trim();
    return kept === "" ? [] : [[line[0], kept] as const];
  });
}
