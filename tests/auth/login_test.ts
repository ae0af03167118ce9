/** The whole sign-in: its good ends, its other ends, and hostile visitors. */

import {
  loginExitCode,
  type LoginResult,
} from "../../src/auth/sign_in/login_result.ts";
import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { JsonClient } from "../../src/auth/json_client.ts";
import { readKey } from "../../src/auth/sign_in/api_key.ts";
import {
  login,
  type LoginOptions,
  type LoginPorts,
} from "../../src/auth/sign_in/login.ts";
import {
  authorizationUrl,
  beginAttempt,
  codeChallenge,
} from "../../src/auth/sign_in/oauth.ts";
import { ANTHROPIC } from "../../src/auth/provider.ts";
import { VaultError } from "../../src/errors.ts";
import type { Clock, Vault } from "../../src/ports.ts";
import { fetchUpstream } from "../fixtures/fetch_upstream.ts";
import { realClock, realEntropy } from "../fixtures/real_ports.ts";
import { report } from "../fixtures/report.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { TokenServer } from "../fixtures/token_server.ts";
import { trials } from "../fixtures/trials.ts";
import { fileVault, idOf, oauthEntry } from "../fixtures/vault_kit.ts";

const PAYLOAD = "<script>alert(1)</script>";

interface Begun {
  readonly url: URL;
  /** Where the page sends the browser back to. */
  readonly redirect: URL;
  readonly state: string;
  readonly port: number;
  readonly result: Promise<LoginResult>;
  readonly cancel: () => void;
}

interface Stage {
  readonly server: TokenServer;
  readonly vault: Vault;
  readonly clock?: Clock;
  readonly options?: Partial<LoginOptions>;
  readonly paste?: LoginPorts["paste"];
  readonly openBrowser?: (url: URL) => Promise<boolean>;
}

/** Begins a sign-in and waits until it shows its page. */
async function begin(stage: Stage): Promise<Begun> {
  const { server, vault, paste, openBrowser } = stage;
  const clock = stage.clock ?? realClock;
  const shown = Promise.withResolvers<URL>();
  const stop = new AbortController();
  const result = login(
    {
      method: "browser",
      account: null,
      name: null,
      loginHint: null,
      taken: new Set(),
      ...stage.options,
    },
    {
      provider: server.provider,
      client: new JsonClient({
        upstream: fetchUpstream,
        clock,
        userAgent: "tc/test",
      }),
      vault,
      clock,
      entropy: realEntropy,
      openBrowser: openBrowser ?? null,
      show: ({ url }) => shown.resolve(url),
      paste: paste ?? null,
    },
    stop.signal,
  );
  result.catch(() => {});
  const url = await shown.promise;
  const redirect = new URL(url.searchParams.get("redirect_uri") ?? "");
  return {
    url,
    redirect,
    state: url.searchParams.get("state") ?? "",
    port: Number(redirect.port),
    result,
    cancel: () => stop.abort(),
  };
}

function at(begun: Begun, query: Record<string, string>, path = "/callback") {
  return `http://127.0.0.1:${begun.port}${path}?${new URLSearchParams(query)}`;
}

async function page(url: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(url, { redirect: "manual", ...init });
  const text = await response.text();
  ok(!text.includes("<script"), "the page runs nothing");
  ok((response.headers.get("content-security-policy") ?? "").includes("none"));
  return text;
}

/** Whether the listener refuses connections within a second. */
async function closesInTime({ port }: Begun): Promise<void> {
  const start = performance.now();
  for (;;) {
    try {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      connection.close();
    } catch (error) {
      ok(error instanceof Deno.errors.ConnectionRefused);
      break;
    }
    ok(performance.now() - start < 1_000, "it still listens");
    await realClock.sleep(20);
  }
}

/** What visitors who are not the provider's page may send. */
const HOSTILE: Readonly<Record<string, (begun: Begun) => Promise<unknown>>> = {
  "a wrong state": (b) => page(at(b, { code: "c", state: "x".repeat(43) })),
  "no state": (b) => page(at(b, { code: "c" })),
  "an empty state": (b) => page(at(b, { code: "c", state: "" })),
  "the state cut short": (b) =>
    page(at(b, { code: "c", state: b.state.slice(0, 42) })),
  "the state in other letters": (b) =>
    page(at(b, { code: "c", state: b.state.toUpperCase() + "x" })),
  "the state twice": (b) =>
    page(`${at(b, { code: "c", state: b.state })}&state=${b.state}`),
  "the code twice": (b) =>
    page(`${at(b, { code: "c", state: b.state })}&code=d`),
  "an empty code": (b) => page(at(b, { code: "", state: b.state })),
  "no code": (b) => page(at(b, { state: b.state })),
  "a code with CR and LF": (b) =>
    page(at(b, { code: "c\r\nx-evil: 1", state: b.state })),
  "a code with markup": (b) => page(at(b, { code: PAYLOAD, state: b.state })),
  "a code of 3,000 letters": (b) =>
    page(at(b, { code: "c".repeat(3_000), state: b.state })),
  "a refusal with a wrong state": (b) =>
    page(at(b, { error: "access_denied", state: "x".repeat(43) })),
  "markup in a refusal": (b) =>
    page(at(b, { error: PAYLOAD, error_description: PAYLOAD, state: "x" })),
  "another path": (b) =>
    page(at(b, { code: "c", state: b.state }, "/callback/x")),
  "a POST": (b) =>
    page(at(b, { code: "c", state: b.state }), { method: "POST", body: "x" }),
  "a preview by HEAD": async (b) => {
    const url = at(b, { code: "c", state: b.state });
    const response = await fetch(url, { method: "HEAD" });
    await response.body?.cancel();
    strictEqual(response.status, 405);
  },
  "a foreign Host": (b) =>
    raw(
      b,
      `GET /callback?code=c&state=${b.state} HTTP/1.1\r\nhost: evil.test\r\n\r\n`,
    ),
  "a query of a megabyte": (b) =>
    raw(
      b,
      `GET /callback?code=${
        "c".repeat(1_000_000)
      } HTTP/1.1\r\nhost: localhost:${b.port}\r\n\r\n`,
    ),
  "a head that never ends": (b) =>
    raw(b, `GET /callback?code=c&state=${b.state} HTTP/1.1\r\nhost:`),
};

/** Sends `text` and reads at most a moment; the answer may be a cut. */
async function raw({ port }: Begun, text: string): Promise<void> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    await connection.write(new TextEncoder().encode(text)).catch(() => 0);
    const answer = new Uint8Array(4_096);
    const read = connection.read(answer).catch(() => null);
    const got = await Promise.race([
      read,
      realClock.sleep(50).then(() => null),
    ]);
    const words = new TextDecoder().decode(answer.subarray(0, got ?? 0));
    ok(!words.startsWith("HTTP/1.1 200"), words.slice(0, 200));
  } finally {
    connection.close();
  }
}

Deno.test("20 hostile visitors each get nothing and end nothing", async () => {
  const rounds = trials(3, 20);
  strictEqual(Object.keys(HOSTILE).length, 20);
  let visits = 0;
  for (const [name, visit] of Object.entries(HOSTILE)) {
    await using folder = new TempFolder();
    await using server = new TokenServer();
    const { vault } = await fileVault(folder.path);
    const begun = await begin({ server, vault });
    for (let round = 0; round < rounds; round++, visits++) await visit(begun);
    strictEqual(server.tokenCalls.length, 0, name);
    const back = server.grant(begun.url, "ada");
    const text = await page(at(begun, back));
    ok(!text.includes(back.code) && !text.includes(back.state), name);
    const result = await begun.result;
    strictEqual(result.kind, "added", name);
    strictEqual(server.tokenCalls.length, 1, name);
    await closesInTime(begun);
  }
  report(
    `${visits} hostile callbacks: 0 exchanges, 0 ends; each login after them went through`,
  );
});

Deno.test("a callback that comes a second time changes nothing", async () => {
  await using folder = new TempFolder();
  await using server = new TokenServer();
  server.delayMs = 100;
  const { vault } = await fileVault(folder.path);
  const begun = await begin({ server, vault });
  const back = server.grant(begun.url, "ada");
  const visits = [page(at(begun, back)), page(at(begun, back)).catch(() => "")];
  strictEqual((await begun.result).kind, "added");
  await Promise.all(visits);
  strictEqual(server.tokenCalls.length, 1);
  await closesInTime(begun);
});

/** `vault`, which takes nothing any more. */
function fullDisk(vault: Vault): Vault {
  return {
    list: () => vault.list(),
    get: (id) => vault.get(id),
    put: () =>
      Promise.reject(
        new VaultError("Cannot write: the disk is full", { code: "disk_full" }),
      ),
    remove: (id) => vault.remove(id),
    update: () => Promise.resolve(null),
    describe: () => vault.describe(),
  };
}

Deno.test("every other end leaves nothing open and has its own exit code", async () => {
  await using folder = new TempFolder();
  await using server = new TokenServer();
  const { vault } = await fileVault(folder.path);
  const ends: LoginResult[] = [];

  const denied = await begin({ server, vault });
  await page(at(denied, { error: "access_denied", state: denied.state }));
  ends.push(await denied.result);
  await closesInTime(denied);

  const cancelled = await begin({ server, vault });
  cancelled.cancel();
  ends.push(await cancelled.result);
  await closesInTime(cancelled);

  const late = await begin({
    server,
    vault,
    clock: {
      ...realClock,
      sleep: (ms, signal) => realClock.sleep(ms / 6_000, signal),
    },
  });
  ends.push(await late.result);
  await closesInTime(late);

  server.faults.push({ kind: "answer", status: 500, body: "<html>" });
  const failed = await begin({ server, vault });
  await page(at(failed, server.grant(failed.url, "ada")));
  ends.push(await failed.result);
  await closesInTime(failed);

  await vault.put(oauthEntry("bob", "bob"));
  const other = await begin({
    server,
    vault,
    options: { account: idOf("bob") },
  });
  await page(at(other, server.grant(other.url, "ada")));
  ends.push(await other.result);

  const full = await begin({ server, vault: fullDisk(vault) });
  await page(at(full, server.grant(full.url, "carl")));
  ends.push(await full.result);
  await closesInTime(full);

  deepStrictEqual(ends.map(({ kind }) => kind), [
    "denied",
    "cancelled",
    "timeout",
    "exchange_failed",
    "other_identity",
    "not_saved",
  ]);
  const codes = ends.map(loginExitCode);
  strictEqual(new Set(codes).size, codes.length, String(codes));
  deepStrictEqual((await vault.list()).entries.map(({ id }) => id), ["bob"]);
});

Deno.test("the code is pasted in each of its forms, and nonsense is asked for again", async () => {
  const forms: readonly ((back: { code: string; state: string }) => string)[] =
    [
      ({ code, state }) => `${code}#${state}`,
      ({ code }) => `  ${code}\n`,
      ({ code, state }) =>
        `https://platform.claude.com/oauth/code/callback?code=${code}&state=${state}`,
    ];
  for (const form of forms) {
    await using folder = new TempFolder();
    await using server = new TokenServer();
    const { vault } = await fileVault(folder.path);
    const url = Promise.withResolvers<URL>();
    const pastes = ["", "two words", "a#b#c", `code#${"x".repeat(43)}`, "cut"];
    const wrongs: unknown[] = [];
    const begun = await begin({
      server,
      vault,
      options: { method: "paste" },
      paste: async (wrong) => {
        wrongs.push(wrong);
        return pastes.shift() ?? form(server.grant(await url.promise, "ada"));
      },
    });
    strictEqual(begun.redirect.host, "manual.example.test");
    url.resolve(begun.url);
    strictEqual((await begun.result).kind, "added");
    // A code that was cut looks like one: the provider says that it is none.
    strictEqual(server.tokenCalls.length, 2);
    deepStrictEqual(wrongs, [
      null,
      "no_code",
      "no_code",
      "no_code",
      "other_sign_in",
      "unknown_code",
    ]);
  }
});

Deno.test("the same person again renews the account, another organisation is another", async () => {
  await using folder = new TempFolder();
  await using server = new TokenServer();
  const { vault } = await fileVault(folder.path);
  const kinds: string[] = [];
  for (
    const [name, organisation] of [["ada", "1"], ["ada", "1"], ["ada", "2"]]
  ) {
    server.profiles.set("ada", {
      account: { uuid: "acc-ada", email: "ada@example.test" },
      organization: { uuid: `org-${organisation}`, name: "O" },
    });
    const begun = await begin({ server, vault, options: { name: null } });
    await page(at(begun, server.grant(begun.url, name ?? "")));
    kinds.push((await begun.result).kind);
  }
  deepStrictEqual(kinds, ["added", "updated", "added"]);
  deepStrictEqual(
    (await vault.list()).entries.map(({ label }) => label).sort(),
    ["ada@example.test", "ada@example.test-2"],
  );
});

Deno.test("two sign-ins at once do not mix", async () => {
  await using folder = new TempFolder();
  await using server = new TokenServer();
  const { vault } = await fileVault(folder.path);
  const one = await begin({ server, vault });
  const two = await begin({ server, vault });
  const ada = server.grant(one.url, "ada");
  const bob = server.grant(two.url, "bob");
  // Each answer at the other's listener is turned away.
  await page(at(two, ada));
  await page(at(one, bob));
  strictEqual(server.tokenCalls.length, 0);
  await page(at(one, ada));
  await page(at(two, bob));
  deepStrictEqual([(await one.result).kind, (await two.result).kind], [
    "added",
    "added",
  ]);
});

Deno.test("codeChallenge() is the one of RFC 7636, appendix B", async () => {
  strictEqual(
    await codeChallenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
  );
});

Deno.test("attempts have 43 random characters each, all different", async () => {
  const count = trials(500, 10_000);
  const seen = new Set<string>();
  for (let index = 0; index < count; index++) {
    const attempt = await beginAttempt(
      { clock: realClock, entropy: realEntropy },
      "http://localhost:1/callback",
    );
    const verifier = attempt.codeVerifier.reveal();
    const state = attempt.state.reveal();
    for (const text of [verifier, state]) {
      ok(/^[A-Za-z0-9_-]{43}$/.test(text));
      seen.add(text);
    }
    ok(attempt.codeChallenge !== verifier);
    const url = authorizationUrl(ANTHROPIC, attempt, "ada@example.test");
    ok(!url.href.includes(verifier));
    strictEqual(url.searchParams.get("code_challenge_method"), "S256");
    strictEqual(url.searchParams.get("login_hint"), "ada@example.test");
  }
  strictEqual(seen.size, 2 * count);
});

Deno.test("a key that cannot be used is refused with the reason that fits it", () => {
  const reasons: readonly (readonly [string, RegExp])[] = [
    ["sk-ant-api03-x", /too short, or contains a character/],
    ["sk-ant-oat01-x", /too short, or contains a character/],
    ["sk-ant-ort01-abcdefghijklmnop", /spent by its first use/],
    ["sk-ant-admin01-abcdefghijklmnop", /admin key/],
    ["gsk_abcdefghijklmnop", /starts with sk-ant-api/],
  ];
  for (const [key, reason] of reasons) {
    throws(() => readKey(key, null), reason, key);
  }
});
