/**
 * The fake sign-in pages. They check the request as the real ones do, and send
 * the browser back with a code, or show `code#state` to paste.
 *
 * @module
 */

import { after, MINUTE_MS } from "../../core/time.ts";
import type { DemoAccount } from "./account.ts";
import type { Exchange } from "./exchange.ts";
import type { World } from "./world.ts";

/** Claude Code's public client, the only one that the demo knows. */
export const CLIENT_ID = "9d1c250a-e61b-44d9-88ed-5944d1962f5e";
/** The page that shows a code to paste. */
export const MANUAL_PATH = "/oauth/code/callback";

const MANUAL_HOSTS = [
  "https://platform.claude.com",
  "https://console.anthropic.com",
];
const LOOPBACK =
  /^http:\/\/(localhost|127\.0\.0\.1|\[::1\]):\d{1,5}\/callback$/;
const CHALLENGE = /^[A-Za-z0-9_-]{43}$/;
/** The real page refuses a shorter state once a session is logged in. */
const STATE_LENGTH_MIN = 43;
const CODE_MS = 10 * MINUTE_MS;

/**
 * Answers `GET /oauth/authorize`: the page that asks, or the way back at once.
 */
export function showSignIn(exchange: Exchange): Promise<Response> {
  const { searchParams } = exchange.url;
  const fault = requestFault(searchParams, exchange.url.origin);
  if (fault !== null) {
    return exchange.sendPage(
      400,
      page("Invalid request format", escape(fault)),
    );
  }
  const accounts = candidates(exchange.world, searchParams.get("login_hint"));
  const [only] = accounts;
  if (
    exchange.world.settings.signsInAtOnce && accounts.length === 1 &&
    only !== undefined
  ) return grant(exchange, only);
  const links = accounts.map((account) =>
    link(
      exchange,
      "allow",
      account.name,
      `Authorize as ${account.identity.email} (${account.name})`,
    )
  );
  return exchange.sendPage(
    200,
    page(
      "Authorize",
      [
        ...links,
        link(exchange, "deny", "", "Decline"),
      ].join("\n"),
    ),
  );
}

/** Answers `GET /oauth/authorize/allow|deny`, the links of the page. */
export function decideSignIn(exchange: Exchange): Promise<Response> {
  const { searchParams, pathname, origin } = exchange.url;
  const fault = requestFault(searchParams, origin);
  if (fault !== null) {
    return exchange.sendPage(
      400,
      page("Invalid request format", escape(fault)),
    );
  }
  if (pathname.endsWith("/deny")) {
    return sendBack(exchange, { error: "access_denied" });
  }
  const account = exchange.world.accounts.get(
    searchParams.get("demo_account") ?? "",
  );
  return account === undefined
    ? exchange.sendPage(400, page("Invalid request format", "No such account"))
    : grant(exchange, account);
}

/** Answers `GET /oauth/code/callback`: shows the code if no listener waits. */
export function showCode(exchange: Exchange): Promise<Response> {
  const { searchParams } = exchange.url;
  const code = searchParams.get("code") ?? "";
  const state = searchParams.get("state") ?? "";
  return exchange.sendPage(
    200,
    page(
      "Paste this into the terminal",
      `<code>${escape(`${code}#${state}`)}</code>`,
    ),
  );
}

/**
 * Answers `GET /oauth/code/success`, to which a listener sends the browser at
 * the end.
 */
export function showSuccess(exchange: Exchange): Promise<Response> {
  return exchange.sendPage(
    200,
    page("You are signed in", "You can close this."),
  );
}

/** Returns what is wrong with an authorization request, or null. */
function requestFault(query: URLSearchParams, origin: string): string | null {
  const expected: readonly (readonly [string, string])[] = [
    ["code", "true"],
    ["client_id", CLIENT_ID],
    ["response_type", "code"],
    ["code_challenge_method", "S256"],
  ];
  for (const [name, value] of expected) {
    if (query.get(name) !== value) return `${name} must be ${value}`;
  }
  if (!CHALLENGE.test(query.get("code_challenge") ?? "")) {
    return "code_challenge must be a SHA-256 in base64url";
  }
  if ((query.get("state") ?? "").length < STATE_LENGTH_MIN) {
    return "state is too short";
  }
  if (!(query.get("scope") ?? "").split(" ").includes("user:inference")) {
    return "scope must hold user:inference";
  }
  return isRedirectUri(query.get("redirect_uri") ?? "", origin)
    ? null
    : "redirect_uri is not allowed";
}

function isManual(uri: string, origin: string): boolean {
  return [origin, ...MANUAL_HOSTS].some((host) => uri === host + MANUAL_PATH);
}

function isRedirectUri(uri: string, origin: string): boolean {
  return LOOPBACK.test(uri) || isManual(uri, origin);
}

/**
 * Returns whom the browser may sign in as: its session, else the hint, else
 * all.
 */
function candidates(
  world: World,
  hint: string | null,
): readonly DemoAccount[] {
  const all = [...world.accounts.values()]
    .filter((account) => account.kind === "subscription");
  if (world.browserAccount !== null) {
    return all.filter((account) => account.name === world.browserAccount);
  }
  const hinted = all.filter((account) => account.identity.email === hint);
  return hinted.length > 0 ? hinted : all;
}

function grant(exchange: Exchange, account: DemoAccount): Promise<Response> {
  const { url, world } = exchange;
  const code = world.dice.hex(43);
  world.codes.set(code, {
    account: account.name,
    challenge: url.searchParams.get("code_challenge") ?? "",
    redirectUri: url.searchParams.get("redirect_uri") ?? "",
    state: url.searchParams.get("state") ?? "",
    scopes: (url.searchParams.get("scope") ?? "").split(" "),
    expiresAt: after(world.clock.now(), CODE_MS),
  });
  exchange.record.account = account.name;
  return sendBack(exchange, { code });
}

function sendBack(
  exchange: Exchange,
  answer: Readonly<Record<string, string>>,
): Promise<Response> {
  const { searchParams, origin } = exchange.url;
  const wished = searchParams.get("redirect_uri") ?? "";
  const target = new URL(
    isManual(wished, origin) ? origin + MANUAL_PATH : wished,
  );
  const state = searchParams.get("state") ?? "";
  for (const [name, value] of Object.entries({ ...answer, state })) {
    target.searchParams.set(name, value);
  }
  return exchange.send(302, "", [["location", target.href]]);
}

function link(
  exchange: Exchange,
  decision: "allow" | "deny",
  account: string,
  label: string,
): string {
  const url = new URL(exchange.url);
  url.pathname = `/oauth/authorize/${decision}`;
  url.searchParams.set("demo_account", account);
  const target = escape(url.pathname + url.search);
  return `<p><a id="${decision}" href="${target}">${escape(label)}</a></p>`;
}

function page(title: string, content: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${title}</title></head>
<body><h1>${title}</h1><p>This is the demo's sign-in. Nothing here is real.</p>
${content}
</body></html>
`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")
    .replaceAll('"', "&quot;");
}
