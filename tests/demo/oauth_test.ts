/** The fake OAuth server: sign-in, PKCE, rotation, profile and usage. */

import {
  deepStrictEqual,
  match,
  notStrictEqual,
  ok,
  rejects,
  strictEqual,
} from "node:assert/strict";
import { instantFromMs, MINUTE_MS } from "../../src/core/time.ts";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { CLIENT_ID } from "../../src/demo/provider/oauth_sign_in.ts";
import { challengeOf } from "../../src/demo/provider/oauth_token.ts";
import { WarpClock } from "../../src/demo/warp_clock.ts";
import { askMessage, credentialOf } from "../fixtures/demo_message.ts";

const START = instantFromMs(Date.UTC(2026, 5, 1));
const VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const STATE = "s".repeat(43);
const REDIRECT = "http://localhost:54545/callback";

type Fields = Readonly<Record<string, string>>;

function frozenApi(): Promise<ScriptedApi> {
  return startScriptedApi({
    clock: new WarpClock({ startAt: START, scale: 0 }),
  });
}

function authorizeUrl(api: ScriptedApi, changes: Fields = {}): string {
  const query = new URLSearchParams({
    code: "true",
    client_id: CLIENT_ID,
    response_type: "code",
    redirect_uri: REDIRECT,
    scope: "user:profile user:inference",
    code_challenge: challengeOf(VERIFIER),
    code_challenge_method: "S256",
    state: STATE,
    ...changes,
  });
  return `${api.endpoints.authorize}?${query}`;
}

async function token(
  api: ScriptedApi,
  fields: Readonly<Record<string, unknown>>,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(api.endpoints.token, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ client_id: CLIENT_ID, ...fields }),
  });
  return { status: response.status, body: await response.json() };
}

function exchange(code: string, changes: Fields = {}) {
  return {
    grant_type: "authorization_code",
    code,
    state: STATE,
    redirect_uri: REDIRECT,
    code_verifier: VERIFIER,
    ...changes,
  };
}

function refresh(refreshToken: unknown) {
  return { grant_type: "refresh_token", refresh_token: refreshToken };
}

async function signIn(api: ScriptedApi, changes: Fields = {}): Promise<URL> {
  api.set({ signsInAtOnce: true });
  const response = await fetch(authorizeUrl(api, changes), {
    redirect: "manual",
  });
  await response.body?.cancel();
  strictEqual(response.status, 302);
  return new URL(response.headers.get("location") ?? "");
}

async function codeFor(
  api: ScriptedApi,
  changes: Fields = {},
): Promise<string> {
  return (await signIn(api, changes)).searchParams.get("code") ?? "";
}

Deno.test("challengeOf() matches the vector of RFC 7636", () => {
  strictEqual(
    challengeOf(VERIFIER),
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
  );
});

Deno.test("a login goes from the page by its link to tokens that work", async () => {
  await using api = await frozenApi();
  const work = api.account("work", { email: "ada@example.org" });
  api.account("home");
  const page = await fetch(authorizeUrl(api));
  const html = await page.text();
  match(html, /ada@example\.org \(work\)/);
  const link = /id="allow" href="([^"]+work)"/.exec(html)?.[1] ?? "";
  const back = await fetch(api.url + link.replaceAll("&amp;", "&"), {
    redirect: "manual",
  });
  await back.body?.cancel();
  const target = new URL(back.headers.get("location") ?? "");
  strictEqual(target.origin + target.pathname, REDIRECT);
  strictEqual(target.searchParams.get("state"), STATE);
  const code = target.searchParams.get("code") ?? "";
  const { status, body } = await token(api, exchange(code));
  strictEqual(status, 200);
  strictEqual(body["token_type"], "Bearer");
  strictEqual(body["expires_in"], 28_800);
  strictEqual(body["scope"], "user:profile user:inference");
  strictEqual(body["access_token"], work.token());
  strictEqual((await askMessage(api, work)).status, 200);
});

Deno.test("the page refuses a request that the real one would refuse", async () => {
  await using api = await frozenApi();
  api.account("work");
  const table: readonly Fields[] = [
    { code: "" },
    { client_id: "other" },
    { response_type: "token" },
    { code_challenge_method: "plain" },
    { code_challenge: "short" },
    { state: "x".repeat(22) },
    { scope: "user:profile" },
    { redirect_uri: "https://evil.example/callback" },
    { redirect_uri: "http://localhost:1/other" },
    { redirect_uri: "http://localhost.evil.example:1/callback" },
  ];
  for (const changes of table) {
    const response = await fetch(authorizeUrl(api, changes));
    strictEqual(response.status, 400, JSON.stringify(changes));
    match(await response.text(), /Invalid request format/);
  }
});

Deno.test("a declined sign-in comes back as access_denied", async () => {
  await using api = await frozenApi();
  api.account("work");
  const url = authorizeUrl(api).replace("/authorize?", "/authorize/deny?");
  const response = await fetch(url, { redirect: "manual" });
  await response.body?.cancel();
  const target = new URL(response.headers.get("location") ?? "");
  strictEqual(target.searchParams.get("error"), "access_denied");
  strictEqual(target.searchParams.get("state"), STATE);
});

Deno.test("the manual page shows code#state, and that code can be exchanged", async () => {
  await using api = await frozenApi();
  api.account("work");
  for (
    const redirect_uri of [
      api.endpoints.manualRedirect,
      "https://platform.claude.com/oauth/code/callback",
    ]
  ) {
    const target = await signIn(api, { redirect_uri });
    strictEqual(target.origin, api.url);
    const html = await (await fetch(target)).text();
    const shown = /<code>(.+)#(.+)<\/code>/.exec(html);
    strictEqual(shown?.[2], STATE);
    const wish = exchange(shown?.[1] ?? "", { redirect_uri });
    strictEqual((await token(api, wish)).status, 200);
  }
});

Deno.test("whom the page offers: the session, else the hint, else all", async () => {
  await using api = await frozenApi();
  api.account("work", { email: "a@x.example" });
  api.account("home", { email: "b@x.example" });
  api.account("key", { kind: "api_key" });
  async function offered(changes: Fields = {}): Promise<readonly string[]> {
    const html = await (await fetch(authorizeUrl(api, changes))).text();
    return [...html.matchAll(/\((\w+)\)<\/a>/g)].map((each) => each[1] ?? "");
  }
  deepStrictEqual(await offered(), ["work", "home"]);
  deepStrictEqual(await offered({ login_hint: "b@x.example" }), ["home"]);
  api.signIn("work");
  deepStrictEqual(await offered({ login_hint: "b@x.example" }), ["work"]);
});

Deno.test("a code is spent by its first use, right or wrong", async () => {
  await using api = await frozenApi();
  api.account("work");
  const wrong: readonly Fields[] = [
    { code_verifier: VERIFIER + "x" },
    { state: "t".repeat(43) },
    { redirect_uri: "http://localhost:1/callback" },
  ];
  for (const changes of wrong) {
    const code = await codeFor(api);
    const refused = await token(api, exchange(code, changes));
    deepStrictEqual([refused.status, refused.body["error"]], [
      400,
      "invalid_grant",
    ]);
    strictEqual((await token(api, exchange(code))).status, 400);
  }
  const code = await codeFor(api);
  strictEqual((await token(api, exchange(code))).status, 200);
  strictEqual((await token(api, exchange(code))).status, 400);
  const late = await codeFor(api);
  api.clock.advance(10 * MINUTE_MS);
  strictEqual((await token(api, exchange(late))).status, 400);
});

Deno.test("the token endpoint takes JSON, its client and its two grants alone", async () => {
  await using api = await frozenApi();
  const form = await fetch(api.endpoints.token, {
    method: "POST",
    body: new URLSearchParams({ grant_type: "refresh_token" }),
  });
  strictEqual((await form.json()).error, "invalid_request");
  const stranger = await token(api, { ...refresh("x"), client_id: "other" });
  strictEqual(stranger.body["error"], "invalid_client");
  const password = await token(api, { grant_type: "password" });
  strictEqual(password.body["error"], "unsupported_grant_type");
});

Deno.test("a refresh rotates, and a spent token kills the family over the wire", async () => {
  await using api = await frozenApi();
  const work = api.account("work");
  const first = work.tokens();
  const second = await token(api, refresh(first.refreshToken));
  strictEqual(second.status, 200);
  notStrictEqual(second.body["refresh_token"], first.refreshToken);
  strictEqual(second.body["access_token"], work.token());
  strictEqual((await askMessage(api, work)).status, 200);
  const fresh = credentialOf(work);
  const reused = await token(api, refresh(first.refreshToken));
  deepStrictEqual(reused, {
    status: 400,
    body: {
      error: "invalid_grant",
      error_description: "Refresh token not found or invalid",
    },
  });
  strictEqual(
    (await token(api, refresh(second.body["refresh_token"]))).status,
    400,
  );
  const profile = await fetch(`${api.url}/api/oauth/profile`, {
    headers: fresh,
  });
  strictEqual(profile.status, 401);
  await profile.body?.cancel();
  deepStrictEqual(api.families(), {
    minted: 1,
    rotations: 1,
    reuses: 1,
    killed: 1,
  });
});

Deno.test("scripted token answers: lost, late, broken, odd", async () => {
  await using api = await startScriptedApi();
  const work = api.account("work");
  function next() {
    return token(api, refresh(work.tokens().refreshToken));
  }
  const before = work.tokens().refreshToken;
  api.nextToken("work").dropAnswer();
  await rejects(next());
  notStrictEqual(work.tokens().refreshToken, before);
  strictEqual((await token(api, refresh(before))).status, 400);

  work.login();
  api.nextToken("work").delay(30).answer();
  const startedMs = performance.now();
  strictEqual((await next()).status, 200);
  ok(performance.now() - startedMs >= 29);

  const kept = work.tokens().refreshToken;
  api.nextToken("work").withoutRefreshToken();
  strictEqual("refresh_token" in (await next()).body, false);
  strictEqual(work.tokens().refreshToken, kept);

  api.nextToken("work").expiresIn("soon");
  strictEqual((await next()).body["expires_in"], "soon");

  const unrotated = work.tokens().refreshToken;
  for (const status of [400, 401, 404, 429, 503]) {
    api.nextToken().status(status);
    strictEqual((await next()).status, status);
  }
  api.nextToken().html();
  await rejects(next(), SyntaxError);
  api.nextToken().redirect(`${api.url}/elsewhere`, 301);
  const moved = await fetch(api.endpoints.token, {
    method: "POST",
    redirect: "manual",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ client_id: CLIENT_ID, ...refresh(unrotated) }),
  });
  strictEqual(moved.status, 301);
  await moved.body?.cancel();
  strictEqual(work.tokens().refreshToken, unrotated);
  strictEqual(api.scriptedLeft(), 0);
});

Deno.test("the profile tells person, organisation and plan", async () => {
  await using api = await frozenApi();
  const one = api.account("one", { email: "ada@x.example", tier: "max_20x" });
  const two = api.account("two", { email: "ada@x.example", tier: "pro" });
  const profiles = await Promise.all([one, two].map(async (account) => {
    const headers = credentialOf(account);
    return await (await fetch(`${api.url}/api/oauth/profile`, { headers }))
      .json();
  }));
  const [first, second] = profiles;
  strictEqual(first.account.uuid, second.account.uuid);
  notStrictEqual(first.organization.uuid, second.organization.uuid);
  strictEqual(first.organization.rate_limit_tier, "default_claude_max_20x");
  deepStrictEqual(
    [first, second].map((
      { account },
    ) => [account.has_claude_max, account.has_claude_pro]),
    [[true, false], [false, true]],
  );
});

Deno.test("setup tokens and API keys have no profile and no usage", async () => {
  await using api = await frozenApi();
  for (const kind of ["setup_token", "api_key"] as const) {
    const account = api.account(kind, { kind });
    strictEqual((await askMessage(api, account)).status, 200);
    for (const path of ["profile", "usage"]) {
      const response = await fetch(`${api.url}/api/oauth/${path}`, {
        headers: credentialOf(account),
      });
      strictEqual(response.status, 403);
      match(
        (await response.json()).error.message,
        /scope requirement user:profile/,
      );
    }
  }
});

Deno.test("the usage endpoint has both shapes, in percent", async () => {
  await using api = await frozenApi();
  const work = api.account("work").windows({
    "5h": 0.335,
    "7d": 0.8,
    "7d_oi": 1,
  })
    .resetIn("5h", 90_000);
  async function usage() {
    const headers = credentialOf(work);
    return await (await fetch(`${api.url}/api/oauth/usage`, { headers }))
      .json();
  }
  const both = await usage();
  deepStrictEqual(both.five_hour, {
    utilization: 33,
    resets_at: "2026-06-01T00:01:30.000000+00:00",
  });
  strictEqual(both.seven_day_opus, null);
  deepStrictEqual(
    both.limits.map((limit: Record<string, unknown>) => [
      limit["kind"],
      limit["percent"],
      limit["severity"],
      limit["is_active"],
    ]),
    [
      ["session", 33, "normal", false],
      ["weekly_all", 80, "warning", false],
      ["weekly_scoped", 100, "warning", true],
    ],
  );
  strictEqual(both.limits[2].scope.model.display_name, "Fable");
  api.set({ usageShape: "old" });
  strictEqual("limits" in await usage(), false);
  api.set({ usageShape: "new" });
  strictEqual("five_hour" in await usage(), false);
});

Deno.test("the usage endpoint has its own limit, which is no limit of the account", async () => {
  await using api = await frozenApi();
  api.set({ usagePerMinute: 2 });
  const work = api.account("work");
  const seen: (number | string | null)[] = [];
  for (let call = 0; call < 3; call++) {
    const response = await fetch(`${api.url}/api/oauth/usage`, {
      headers: credentialOf(work),
    });
    await response.body?.cancel();
    seen.push(response.status, response.headers.get("retry-after"));
  }
  deepStrictEqual(seen, [200, null, 200, null, 429, "272"]);
  strictEqual((await askMessage(api, work)).status, 200);
  api.clock.advance(MINUTE_MS);
  api.nextUsage("work").reply(429, { retryAfterSeconds: 720 });
  const scripted = await fetch(`${api.url}/api/oauth/usage`, {
    headers: credentialOf(work),
  });
  await scripted.body?.cancel();
  strictEqual(scripted.headers.get("retry-after"), "720");
});
