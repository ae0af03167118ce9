/**
 * Browsers that may use the page at `/ui`. A link that works once and for a
 * minute gives a browser a cookie and a key of the page: the cookie alone reads
 * nothing, because browsers send it to every port of this machine, and the key
 * is kept by the page for its own origin alone. Neither is the local key, and
 * neither is of use for a request to the API.
 *
 * @module
 */

import { createHash, randomBytes } from "node:crypto";
import { PAGE_KEY_HEADER } from "../control/protocol.ts";
import { HOUR_MS, SECOND_MS } from "../core/time.ts";
import type { Clock } from "../ports.ts";
import { LINK_PATH, type PageDoor } from "../proxy/door.ts";

/** How long a link works. */
const LINK_MS = 60 * SECOND_MS;
/** A browser that asks for nothing for this long needs a new link. */
const IDLE_MS = 12 * HOUR_MS;
/** The most links and browsers at once; the oldest make room. */
const LINKS_MAX = 8;
const BROWSERS_MAX = 16;

const SECRET_BYTES = 32;

/** What the page may ask of the admin API, besides its own files. */
const PAGE_ROUTES: readonly (readonly [method: string, path: RegExp])[] = [
  [
    "GET",
    /^\/tc\/v1\/(status|watch|explain|accounts|report|turns|quota)(\?|$)/,
  ],
  ["GET", /^\/tc\/v1\/simulate$/],
  ["POST", /^\/tc\/v1\/simulate$/],
  ["DELETE", /^\/tc\/v1\/simulate$/],
  ["PUT", /^\/tc\/v1\/pin$/],
  ["PATCH", /^\/tc\/v1\/accounts\/[^/?]+$/],
];
const PAGE_FILE = /^\/ui(\/[a-z.]*)?$/;

/** One browser, known by the digests of its cookie and its page's key. */
interface Browser {
  readonly cookie: string;
  readonly key: string;
  usedAtMs: number;
}

export class PageSessions implements PageDoor {
  readonly #clock: Clock;
  /** Digests of tickets, and until when they work. */
  #links: readonly (readonly [digest: string, untilMs: number])[] = [];
  #browsers: Browser[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns the path of a new link. */
  link(): string {
    const ticket = secret();
    const untilMs = this.#clock.monotonicMs() + LINK_MS;
    this.#links = [...this.#links, [digestOf(ticket), untilMs] as const]
      .slice(-LINKS_MAX);
    return `${LINK_PATH}?ticket=${ticket}`;
  }

  /** Spends the ticket of a link; null if it was spent or is too old. */
  open(ticket: string, port: number): ReturnType<PageDoor["open"]> {
    const digest = digestOf(ticket);
    const nowMs = this.#clock.monotonicMs();
    const isGood = this.#links.some(([known, untilMs]) =>
      known === digest && nowMs < untilMs
    );
    this.#links = this.#links.filter(([known]) => known !== digest);
    if (!isGood) return null;
    const cookie = secret();
    const key = secret();
    this.#browsers = [
      ...this.#browsers.filter(({ usedAtMs }) => nowMs - usedAtMs < IDLE_MS),
      { cookie: digestOf(cookie), key: digestOf(key), usedAtMs: nowMs },
    ].slice(-BROWSERS_MAX);
    const attributes = "Path=/; HttpOnly; SameSite=Strict";
    return { cookie: `${cookieName(port)}=${cookie}; ${attributes}`, key };
  }

  /** Whether a browser that was let in sent this request for the page. */
  admits(
    { method, target, headers }: Parameters<PageDoor["admits"]>[0],
    port: number,
  ): boolean {
    const isFile = method === "GET" && PAGE_FILE.test(target);
    const isRoute = PAGE_ROUTES.some(([own, path]) =>
      own === method && path.test(target)
    );
    if (!isFile && !isRoute) return false;
    const cookie = cookieOf(headers.get("cookie") ?? "", cookieName(port));
    if (cookie === null) return false;
    const browser = this.#browserOf(digestOf(cookie));
    if (browser === null) return false;
    if (isFile) return true;
    const key = headers.get(PAGE_KEY_HEADER);
    return key !== null && digestOf(key) === browser.key;
  }

  #browserOf(digest: string): Browser | null {
    const nowMs = this.#clock.monotonicMs();
    const found = this.#browsers.find(({ cookie }) => cookie === digest);
    if (found === undefined || nowMs - found.usedAtMs >= IDLE_MS) return null;
    found.usedAtMs = nowMs;
    return found;
  }
}

/** Browsers send a cookie to every port, so its name tells the servers apart. */
function cookieName(port: number): string {
  return `tc_ui_${port}`;
}

function cookieOf(line: string, name: string): string | null {
  for (const part of line.split(";")) {
    const [key, value] = part.trim().split("=", 2);
    if (key === name && value !== undefined) return value;
  }
  return null;
}

function secret(): string {
  return randomBytes(SECRET_BYTES).toString("base64url");
}

/** Digests are compared, so that the time says nothing about a secret. */
function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}
