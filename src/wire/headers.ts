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
 * Lines that the connection pool writes itself. `expect` was answered by our
 * server: the body is already here, so the upstream need not agree to it.
 */
const REQUEST_FRAMING: ReadonlySet<string> = new Set([
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
  const credential = { ...credentialLine(authorization), isPlaced: false };
  const sent: (readonly [string, string])[] = [];
  for (const line of endToEnd(inbound, REQUEST_FRAMING)) {
    const lower = line[0].toLowerCase();
    if (CLIENT_CREDENTIALS.has(lower)) {
      if (credential.isPlaced || lower === "cookie") continue;
      credential.isPlaced = true;
      // Keep the client's spelling if it uses the same kind of credential.
      const name = lower === credential.name.toLowerCase()
        ? line[0]
        : credential.name;
      sent.push([name, credential.value]);
      continue;
    }
    if (!isOwnLine(line, localKey)) sent.push(line);
  }
  if (!credential.isPlaced) sent.push([credential.name, credential.value]);
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
  return endToEnd(inbound, REQUEST_FRAMING)
    .filter((line) => !isOwnLine(line, localKey));
}

/**
 * Returns the lines of an answer to send to the client. `content-encoding` and
 * `content-length` stay, since the body is passed on unchanged.
 */
export function responseHeaders(upstream: HeaderList): HeaderList {
  return endToEnd(upstream, new Set());
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

/** Removes hop-by-hop lines, those that `connection` names, and `others`. */
function endToEnd(
  headers: HeaderList,
  others: ReadonlySet<string>,
): HeaderList {
  const nominated = new Set(
    headerTokens(headers, "connection")
      .filter((token) => !NEVER_NOMINATED.has(token)),
  );
  return headers.filter(([name]) => {
    const lower = name.toLowerCase();
    return !HOP_BY_HOP.has(lower) && !nominated.has(lower) &&
      !others.has(lower);
  });
}

function isOwnLine(
  [name, value]: readonly [string, string],
  localKey: Secret | null,
): boolean {
  const lower = name.toLowerCase();
  if (OWN_PREFIXES.some((prefix) => lower.startsWith(prefix))) return true;
  const key = localKey?.reveal() ?? "";
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
