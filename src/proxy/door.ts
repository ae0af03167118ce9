/**
 * The door: what a request must show before anything else looks at it. Host,
 * Origin and Sec-Fetch-Site keep web pages and rebound names out; the key keeps
 * other users of the machine out.
 *
 * @module
 */

import { createHmac } from "node:crypto";
import type { Secret } from "../ports.ts";
import { slipOf, splitKey, targetFault } from "../wire/request/target.ts";
import { nonceOf, proofText } from "../wire/proof.ts";
import type { HeaderLookup } from "../http/request.ts";

/** What a request's URL says by itself. */
interface ReadUrl {
  readonly url: string;
  /** Authority and target exactly as the request line and Host have them. */
  readonly authority: string;
  /** Without the key. */
  readonly target: string;
  /** Why the path is refused whoever asks, or null. */
  readonly refusal: Admission & { readonly kind: "refused" } | null;
  readonly nonce: string | null;
  /** Whether a mistyped key is in the place of the key. */
  readonly isKeyPlace: boolean;
  /** Whether the key in the path is right; null if there is none in it. */
  readonly isRightKey: boolean | null;
  /** Whether the target would carry the key to the upstream, however escaped. */
  readonly holdsKey: boolean;
}

/** The local key, which every request is compared with. */
export class DoorKey {
  readonly #secret: Secret;
  readonly #text: string;
  /** The URL of the last request: a client asks for the same one again. */
  #last: ReadUrl | null = null;

  constructor(secret: Secret) {
    this.#secret = secret;
    this.#text = secret.reveal();
  }

  /** Whether `shown` is the key; takes the same time for every wrong one. */
  matches(shown: string): boolean {
    const text = this.#text;
    if (shown.length !== text.length) return false;
    // Every character is compared, and nothing depends on where they differ.
    let difference = 0;
    for (let at = 0; at < text.length; at++) {
      difference |= shown.charCodeAt(at) ^ text.charCodeAt(at);
    }
    return difference === 0;
  }

  /** Reads a URL; null if it is none that a client may ask for. */
  read(url: string): ReadUrl | null {
    if (this.#last?.url === url) return this.#last;
    const place = splitUrl(url);
    if (place === null) return null;
    const { key, target } = splitKey(place.target);
    const slip = slipOf(target);
    const fault = targetFault(target);
    this.#last = {
      url,
      authority: place.authority,
      target,
      refusal: slip !== null
        ? refuse(404, `There is no such path: ${slip}`)
        : fault !== null
        ? refuse(400, `The path is refused: ${fault}`)
        : null,
      nonce: nonceOf(target),
      isKeyPlace: KEY_PLACE.test(target),
      isRightKey: key === null ? null : this.matches(key),
      holdsKey: this.#isIn(target),
    };
    return this.#last;
  }

  /** Whether `target` would carry the key to the upstream, however escaped. */
  #isIn(target: string): boolean {
    const plain = target.replace(
      /%(?:25)*([0-9a-f]{2})/gi,
      (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)),
    );
    return plain.includes(this.#text);
  }

  /** Returns a proof that this server has the key, for one nonce and port. */
  prove(question: Parameters<typeof proofText>[0]): string {
    return createHmac("sha256", this.#secret.reveal())
      .update(proofText(question)).digest("base64url");
  }
}

/** Where a link to the page leads; the ticket is its query. */
export const LINK_PATH = "/ui/open";
const LINK = /^\/ui\/open\?ticket=([A-Za-z0-9_-]{43})$/;

/** Who decides which browsers may use the page. */
export interface PageDoor {
  /** Spends the ticket of a link; null if it was spent or is too old. */
  open(
    ticket: string,
    port: number,
  ): {
    /** The whole Set-Cookie line. */
    readonly cookie: string;
    /** For the page; it goes into the fragment, which no server sees. */
    readonly key: string;
  } | null;
  /** Whether a browser that was let in sent this request for the page. */
  admits(
    request: {
      readonly method: string;
      readonly target: string;
      readonly headers: HeaderLookup;
    },
    port: number,
  ): boolean;
}

/** What the door lets in. */
export interface Door {
  /** The address listened on, without brackets. */
  readonly host: string;
  readonly port: number;
  readonly key: DoorKey;
  /** Admits local clients without the key, as the older tools did. */
  readonly isKeylessLoopback: boolean;
  /** Paths that local clients may read without the key. */
  readonly keylessPaths: readonly string[];
  /** Other names of this machine, in lower case: `host.docker.internal`. */
  readonly hosts: readonly string[];
  /** Pages and desktop apps that may call, as they name themselves. */
  readonly origins: readonly string[];
  /** Browsers that may use the page at `/ui`. */
  readonly pages: PageDoor;
}

/** The parts of a request that the door checks. */
interface Visitor {
  readonly method: string;
  readonly url: string;
  readonly headers: HeaderLookup;
  /** Whether the connection comes from this machine. */
  readonly isLocal: boolean;
}

/** A header that may carry the key. */
type KeyHeader = "authorization" | "x-api-key" | "x-tc-key";

/** What the door says about a request. */
export type Admission =
  | {
    readonly kind: "admitted";
    /** Path and query as written, without the key. */
    readonly target: string;
    /** Headers that carry the key, so that they must not be sent on. */
    readonly keyHeaders: readonly KeyHeader[];
    /** Whether it showed the key; else it was admitted as a local client. */
    readonly hasKey: boolean;
    /** The page or app that sent it, one of {@linkcode Door.origins}, or null. */
    readonly origin: string | null;
    /** Whether it uses a name or page that the user allowed: no admin routes. */
    readonly isGuest: boolean;
  }
  | {
    /** A browser asks whether a page that the user allowed may call. */
    readonly kind: "preflight";
    readonly origin: string;
  }
  | {
    /** A browser follows a link to the page. */
    readonly kind: "linked";
    readonly ticket: string;
  }
  | {
    /** The client asks for proof that this server has the key, before it shows it. */
    readonly kind: "challenged";
    readonly nonce: string;
  }
  | {
    readonly kind: "refused";
    readonly status: 400 | 401 | 403 | 404 | 405 | 421;
    readonly message: string;
  };

/** Signs of a reverse proxy in front: then loopback says nothing about the client. */
const FORWARDING_HEADERS = [
  "x-forwarded-for",
  "x-forwarded-host",
  "forwarded",
  "via",
  "x-real-ip",
];

const WRONG_KEY = "The local key is missing or wrong: see tc env";

/** Methods that echo a request or open a tunnel; the API has no use for them. */
const REFUSED_METHODS = ["CONNECT", "TRACE", "TRACK"];

/** The place of the key in a path: a mistyped key must not leave the machine. */
const KEY_PLACE = /^\/+k(?=[/?]|$)/;

/** Returns whether `visitor` is admitted, and as what. */
export function admit(visitor: Visitor, door: Door): Admission {
  const { headers } = visitor;
  const read = door.key.read(visitor.url);
  const host = headers.get("host");
  if (read === null || host === null) {
    return refuse(400, "The request names no host");
  }
  const isOwn = isOwnHost(host, door) &&
    (read.authority === host || isOwnHost(read.authority, door));
  if (!isOwn) {
    return refuse(
      421,
      "This host is not served here; proxy.hosts names those that are",
    );
  }
  const origin = allowedOrigin(headers, door);
  if (origin === null && !isSameSite(headers, host)) {
    return refuse(
      403,
      "Requests of web pages are refused; proxy.origins names those that may call",
    );
  }
  const isAsking = headers.has("access-control-request-method");
  if (origin !== null && visitor.method === "OPTIONS" && isAsking) {
    return { kind: "preflight", origin };
  }
  if (REFUSED_METHODS.includes(visitor.method)) {
    return refuse(405, "This method is not served here");
  }
  if (read.refusal !== null) return read.refusal;
  const { target, nonce, isRightKey } = read;
  if (nonce !== null && visitor.method === "GET") {
    return { kind: "challenged", nonce };
  }
  if (read.isKeyPlace) return refuse(401, WRONG_KEY);
  const ticket = LINK.exec(target)?.[1];
  if (ticket !== undefined && visitor.method === "GET") {
    return { kind: "linked", ticket };
  }

  const keyHeaders = headersWithKey(headers, door);
  const hasKey = isRightKey ?? keyHeaders.length > 0;
  if (hasKey || (isRightKey === null && isKeyless(visitor, target, door))) {
    if (read.holdsKey) {
      return refuse(400, "The path is refused: it holds the local key");
    }
    const isGuest = origin !== null || isNamedHost(host, door);
    return { kind: "admitted", target, keyHeaders, hasKey, origin, isGuest };
  }
  const { method } = visitor;
  if (
    isRightKey === null && origin === null &&
    door.pages.admits({ method, target, headers }, door.port)
  ) {
    return {
      kind: "admitted",
      target,
      keyHeaders,
      hasKey,
      origin,
      isGuest: isNamedHost(host, door),
    };
  }
  return refuse(401, WRONG_KEY);
}

function refuse(
  status: (Admission & { kind: "refused" })["status"],
  message: string,
): Admission & { readonly kind: "refused" } {
  return { kind: "refused", status, message };
}

/** Returns authority and target exactly as the request line and Host have them. */
function splitUrl(
  url: string,
): { readonly authority: string; readonly target: string } | null {
  const match = /^http:\/\/([^/?#]*)(.*)$/s.exec(url);
  const [, authority, target] = match ?? [];
  if (authority === undefined || target === undefined) return null;
  return { authority, target: target === "" ? "/" : target };
}

function isOwnHost(host: string, door: Door): boolean {
  const match = /^(\[[0-9a-f:]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(
    host.toLowerCase(),
  );
  const name = match?.[1];
  if (name === undefined) return false;
  const port = match?.[2];
  if (port !== undefined && Number(port) !== door.port) return false;
  const bare = name.replace(/^\[|\]$/g, "");
  return bare === "127.0.0.1" || bare === "localhost" || bare === "::1" ||
    bare === door.host.toLowerCase() || door.hosts.includes(bare);
}

/** Whether `host` is one of the names that the user allowed. */
function isNamedHost(host: string, { hosts }: Door): boolean {
  return hosts.includes(host.toLowerCase().replace(/:\d{1,5}$/, ""));
}

/** Returns the origin of the request if the user allowed it, else null. */
function allowedOrigin(
  headers: HeaderLookup,
  { origins }: Door,
): string | null {
  const origin = headers.get("origin");
  return origin !== null && origins.includes(origin) ? origin : null;
}

/** Whether the request is not from a web page, or from a page of tc. */
function isSameSite(headers: HeaderLookup, host: string): boolean {
  const site = headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") return false;
  const origin = headers.get("origin");
  return origin === null || origin === `http://${host}`;
}

function headersWithKey(
  headers: HeaderLookup,
  door: Door,
): readonly KeyHeader[] {
  const found: KeyHeader[] = [];
  for (const name of ["x-tc-key", "x-api-key"] as const) {
    const shown = headers.get(name);
    if (shown !== null && door.key.matches(shown)) found.push(name);
  }
  const bearer = /^bearer +(.*)$/i.exec(headers.get("authorization") ?? "")
    ?.[1];
  if (bearer !== undefined && door.key.matches(bearer)) {
    found.push("authorization");
  }
  return found;
}

function isKeyless(
  visitor: Visitor,
  target: string,
  door: Door,
): boolean {
  const isKeylessPath = visitor.method === "GET" &&
    door.keylessPaths.includes(target);
  return (door.isKeylessLoopback || isKeylessPath) && visitor.isLocal &&
    FORWARDING_HEADERS.every((name) => !visitor.headers.has(name));
}
