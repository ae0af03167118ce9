/**
 * Wire room: which header lines pass. The credential changes, hop-by-hop lines
 * and tc's own go, and no other line is added, dropped or altered (P8).
 *
 * @module
 */

import { TcError } from "../errors.ts";
import type { Authorization, HeaderList, Secret } from "../ports.ts";
import { headerTokens } from "./header_list.ts";

export {
  isHoldTarget,
  isNoiseTarget,
  isOwnCredentialTarget,
  isTokenTarget,
  splitKey,
  targetFault,
} from "./request/target.ts";

/** An OAuth bearer is refused with 401 without it (teamclaude-family 1.5). */
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
 * Written by the connection pool. `expect` was answered by our listener: the
 * body is already here, so the upstream has nothing to agree to.
 */
const REQUEST_FRAMING: ReadonlySet<string> = new Set([
  "content-length",
  "expect",
  "host",
]);

/**
 * What a client may prove itself with. `authorization` and `x-api-key` may hold
 * its own login or the local key. A `cookie` sent to a loopback address belongs
 * to whatever runs on this machine, since cookies know no port.
 */
const CLIENT_CREDENTIALS: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "x-api-key",
]);

/** Lines that are addressed to tc (affinity, keys), also by its neighbours' names. */
const OWN_PREFIXES = ["x-tc-", "x-maxpool-", "x-teamclaude-"];

/** `Connection: content-encoding` must not make a body unreadable. */
const NEVER_NOMINATED: ReadonlySet<string> = new Set([
  "content-encoding",
  "content-length",
  "content-type",
]);

/**
 * The lines to send upstream with the account's credential. Exactly one
 * credential is in them, where the client's first one stood, else last. Lines
 * such as `x-forwarded-for` and `forwarded` are no credential and pass. A line
 * with `localKey` in its value goes as well.
 *
 * Throws TcError if the token cannot stand in a header.
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
      // The client's own spelling, where it shows the same kind of credential.
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
 * The lines to send upstream where the client's own credential stays: its
 * `authorization`, `x-api-key` and `cookie` pass. A line that holds `localKey`
 * does not: that key is nobody's business but ours.
 */
export function passthroughHeaders(
  inbound: HeaderList,
  localKey: Secret | null = null,
): HeaderList {
  return endToEnd(inbound, REQUEST_FRAMING)
    .filter((line) => !isOwnLine(line, localKey));
}

/**
 * The lines of an answer to pass to the client. `content-encoding` and
 * `content-length` stay, since the body goes through as it came.
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

/** Leaves out hop-by-hop lines, those that `connection` names, and `others`. */
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

/** The beta says what kind of credential comes; with another kind it is false. */
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
