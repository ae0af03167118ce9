/**
 * The target of a request: path and query, as written by the client. It is
 * judged here and sent on as it was written.
 *
 * @module
 */

/** Prefix of a target that carries the local key: `/k/<key>/v1/messages`. */
const KEY_PREFIX = /^\/k\/([A-Za-z0-9_-]+)(?=[/?]|$)/;

/** Paths that belong to one login and refuse the credential of a pool account. */
const OWN_CREDENTIAL_PREFIXES = [
  "/v1/code/",
  "/v1/session_ingress/ws/",
  "/api/oauth/files/",
  "/api/oauth/file_upload",
  // An organisation is managed only by its own admin key.
  "/v1/organizations/",
];

/** Faults of a path, checked in this order. */
const PATH_FAULTS: readonly (readonly [fault: RegExp, reason: string])[] = [
  [/^(?!\/)/, "the target is not a path"],
  [/^\/[/\\]/, "the target names another host"],
  [/[^\x21-\x7e]/, "the path has a control or non-ASCII character"],
  [/\\/, "the path has a backslash"],
  // %25 is the percent sign: %252e is a dot to a server that decodes twice.
  [/%(25)*2e/i, "the path has an encoded dot"],
  [/%(25)*2f/i, "the path has an encoded slash"],
  [/%(25)*5c/i, "the path has an encoded backslash"],
  [/%(25)*([01][0-9a-f]|7f)/i, "the path has an encoded control character"],
  // A lenient decoder turns overlong UTF-8, and the dots and slashes of other
  // scripts, into plain ones.
  [/%(25)*c[01]/i, "the path has an overlong escape"],
  [
    /%(25)*(e2%(25)*80%(25)*a4|e3%(25)*80%(25)*82|ef%(25)*bd%(25)*a1|ef%(25)*bc%(25)*(8e|8f|bc))/i,
    "the path has a wide dot or slash",
  ],
  [/%(?![0-9a-f]{2})/i, "the path has a broken escape"],
  // Some servers take a part after `;` as a parameter: `..;x` is `..` to them.
  [/(^|\/)\.\.?(;[^/]*)?(\/|$)/, "the path has a dot segment"],
];

/**
 * Returns why a target must not be sent on, or null. Check it before any other
 * predicate of this file, and check again what {@linkcode splitKey} leaves. A
 * target is never corrected: it is sent on as written or refused.
 */
export function targetFault(target: string): string | null {
  if (target.includes("#")) return "the target has a fragment";
  if (/[^\x21-\x7e]/.test(queryOf(target))) {
    return "the query has a control or non-ASCII character";
  }
  const path = pathOf(target);
  return PATH_FAULTS.find(([fault]) => fault.test(path))?.[1] ?? null;
}

/** Mistakes in a base URL, and what to write instead. */
const SLIPS: readonly (readonly [slip: RegExp, advice: string])[] = [
  [/^\/{2,}v1\//, "the base URL ends in a slash: leave it out"],
  [
    /^(\/v1){2,}\//,
    "the base URL ends in /v1 and the client adds it: leave it out",
  ],
  [
    /^\/+(messages|models|files|complete|chat\/completions)(?=[/?]|$)/,
    "/v1 is missing: this client wants it at the end of the base URL",
  ],
];

/** Returns what is wrong with the client's base URL, in words, or null. */
export function slipOf(target: string): string | null {
  return SLIPS.find(([slip]) => slip.test(target))?.[1] ?? null;
}

/**
 * Splits `/k/<key>/…` into key and target. Without such a prefix the key is null
 * and the target unchanged. The caller must check the key.
 */
export function splitKey(
  target: string,
): { readonly key: string | null; readonly target: string } {
  const match = KEY_PREFIX.exec(target);
  if (match?.[1] === undefined) return { key: null, target };
  const rest = target.slice(match[0].length);
  return { key: match[1], target: rest.startsWith("/") ? rest : `/${rest}` };
}

/** Whether the request needs the client's own credential (Remote Control, files). */
export function isOwnCredentialTarget(target: string): boolean {
  const path = judgedPath(target);
  return OWN_CREDENTIAL_PREFIXES.some((prefix) => path.startsWith(prefix));
}

/** Whether the client refreshes its own login; such a request is not changed. */
export function isTokenTarget(method: string, target: string): boolean {
  return method === "POST" && judgedPath(target) === "/v1/oauth/token";
}

/** Paths that spend quota. A batch is only created here; its requests run later. */
const METERED_PATHS: ReadonlySet<string> = new Set([
  "/v1/messages",
  "/v1/messages/batches",
  "/v1/chat/completions",
  "/v1/complete",
]);

/** Whether the request spends quota, so that it may wait for some. */
export function isMeteredTarget(method: string, target: string): boolean {
  return method === "POST" && METERED_PATHS.has(judgedPath(target));
}

const MEGABYTE = 1024 * 1024;

/**
 * Returns the largest body that the provider accepts on a path where bodies may
 * be larger than messages (32 MB); null for other requests.
 */
export function uploadBytesMax(method: string, target: string): number | null {
  if (method !== "POST") return null;
  switch (judgedPath(target)) {
    case "/v1/files":
      return 500 * MEGABYTE;
    case "/v1/messages/batches":
      return 256 * MEGABYTE;
    default:
      return null;
  }
}

/** Returns the first two segments, such as `/v1/files`, on which rights depend. */
export function pathKind(path: string): string {
  return path.split("/", 3).join("/");
}

/** The provider's endpoint in the chat form of other providers. */
const CHAT_PATH = "/v1/chat/completions";

/** Whether the answer has the chat form: no `event:` lines, `data: [DONE]` last. */
export function isChatTarget(target: string): boolean {
  return judgedPath(target) === CHAT_PATH;
}

/** Whether the body is a message request or belongs to one: `/v1/messages…`. */
export function isHoldTarget(target: string): boolean {
  const path = judgedPath(target);
  return path === CHAT_PATH || path === "/v1/messages" ||
    path.startsWith("/v1/messages/");
}

/** Whether it is telemetry, a registry look-up or a health check: not work. */
export function isNoiseTarget(method: string, target: string): boolean {
  const path = judgedPath(target);
  if (path.startsWith("/api/event_logging")) return true;
  if (path.startsWith("/mcp-registry")) return true;
  if (path === "/api/hello") return method === "HEAD";
  const isProbe = path === "/" || path === "/health";
  return isProbe && (method === "GET" || method === "HEAD");
}

function pathOf(target: string): string {
  const query = target.indexOf("?");
  return query === -1 ? target : target.slice(0, query);
}

function queryOf(target: string): string {
  const query = target.indexOf("?");
  return query === -1 ? "" : target.slice(query);
}

/**
 * Returns the path as a server may read it: letters, digits, `-`, `_` and `~`
 * decoded and slashes merged. Only for checks: without it `/v1/c%6fde/` would be
 * sent with a pool credential.
 */
function judgedPath(target: string): string {
  const path = pathOf(target);
  if (!path.includes("%") && !path.includes("//")) return path;
  return path
    .replace(/%([0-9a-f]{2})/gi, (escape: string, hex: string) => {
      const character = String.fromCharCode(Number.parseInt(hex, 16));
      return /[A-Za-z0-9_~-]/.test(character) ? character : escape;
    })
    .replace(/\/{2,}/g, "/");
}
