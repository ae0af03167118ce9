import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { after, HOUR_MS, MINUTE_MS, SECOND_MS } from "../../src/core/time.ts";
import { type Authorization, Secret } from "../../src/ports.ts";
import { SkippingClock } from "../fixtures/skipping_clock.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { entryOf, PATIENT, refresherOn } from "../fixtures/refresh_kit.ts";
import { report } from "../fixtures/report.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { TokenServer } from "../fixtures/token_server.ts";
import { trials } from "../fixtures/trials.ts";
import {
  fileVault,
  idOf,
  oauthEntry,
  refreshTokenOf,
} from "../fixtures/vault_kit.ts";

const A = idOf("a");

/** Uses an authorization at the test server; its status. */
async function use(server: TokenServer, auth: Authorization): Promise<number> {
  const response = await fetch(`${server.origin}/use`, {
    headers: { authorization: `Bearer ${auth.token.reveal()}` },
  });
  await response.body?.cancel();
  return response.status;
}

/** A vault with the account `a`, whose token ends `leftMs` from now. */
async function stage(folder: TempFolder, leftMs: number) {
  const clock = new SkippingClock();
  const server = new TokenServer();
  const family = server.mint("a");
  const opened = await fileVault(folder.join("vault"));
  await opened.vault.put(entryOf(family, after(clock.now(), leftMs)));
  const kit = refresherOn(opened, server, { clock });
  return { clock, server, family, opened, ...kit };
}

Deno.test("authorization() gives a token that has time left, without asking", async () => {
  await using folder = new TempFolder();
  const { server, family, refresher } = await stage(folder, HOUR_MS);
  await using _server = server;
  const auth = await refresher.authorization(A, PATIENT);
  strictEqual(auth.token.reveal(), family.accessToken);
  strictEqual(auth.scheme, "oauth");
  strictEqual(server.tokenCalls.length, 0);
});

Deno.test("authorization() renews 5 minutes ahead, saved before it is given", async () => {
  await using folder = new TempFolder();
  const { server, family, refresher, opened, clock } = await stage(
    folder,
    5 * MINUTE_MS - SECOND_MS,
  );
  await using _server = server;
  const auth = await refresher.authorization(A, PATIENT);
  strictEqual(auth.token.reveal(), family.accessToken);
  deepStrictEqual(server.tokenCalls.map((call) => Object.keys(call).sort()), [
    ["client_id", "grant_type", "refresh_token"],
  ]);
  deepStrictEqual([...server.userAgents], ["tc/test"]);
  const stored = await opened.vault.get(A);
  strictEqual(refreshTokenOf(stored), family.refreshToken);
  ok(stored !== null && "expiresAt" in stored.credential);
  strictEqual(stored.credential.expiresAt, after(clock.now(), 8 * HOUR_MS));
  await refresher.authorization(A, PATIENT);
  strictEqual(server.tokenCalls.length, 1);
});

Deno.test("100 requests at the end of a token: one call of the endpoint", async () => {
  await using folder = new TempFolder();
  const { server, family, refresher, clock } = await stage(folder, -SECOND_MS);
  await using _server = server;
  const rounds = trials(20, 200);
  for (let round = 0; round < rounds; round++) {
    const before = server.tokenCalls.length;
    const given = await Promise.all(
      Array.from({ length: 100 }, () => refresher.authorization(A, PATIENT)),
    );
    strictEqual(server.tokenCalls.length - before, 1);
    for (const { token } of given) {
      strictEqual(token.reveal(), family.accessToken);
    }
    clock.advance(9 * HOUR_MS);
  }
  strictEqual(server.killed, 0);
  report(`${rounds} ends of a token × 100 requests: ${rounds} renewals`);
});

Deno.test("50 in flight with 401s over 3 s: exactly one renewal, all served", async () => {
  const rounds = trials(2, 30);
  await Promise.all(Array.from({ length: rounds }, async () => {
    await using folder = new TempFolder();
    await using server = new TokenServer();
    const family = server.mint("a");
    const opened = await fileVault(folder.path);
    await opened.vault.put(entryOf(family, after(realClock.now(), HOUR_MS)));
    const { refresher } = refresherOn(opened, server);
    const old = await refresher.authorization(A, PATIENT);
    // The provider revokes the access token before its end.
    family.accessToken = "revoked";
    const statuses = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        await realClock.sleep(index * 60);
        strictEqual(await use(server, old), 401);
        const renewed = await refresher.renew(old, PATIENT);
        return renewed === null ? 0 : await use(server, renewed);
      }),
    );
    deepStrictEqual(new Set(statuses), new Set([200]));
    strictEqual(server.tokenCalls.length, 1);
  }));
  report(`${rounds} bursts of 50 refusals over 3 s: ${rounds} renewals`);
});

Deno.test("renew() gives up on a token that is refused right after it was made", async () => {
  await using folder = new TempFolder();
  const { server, refresher, events, clock } = await stage(folder, HOUR_MS);
  await using _server = server;
  const first = await refresher.authorization(A, PATIENT);
  const second = await refresher.renew(first, PATIENT);
  ok(second !== null);
  await rejects(refresher.renew(second, PATIENT), {
    code: "credential_unavailable",
  });
  strictEqual(server.tokenCalls.length, 1);
  const event = events.at(-1);
  ok(event?.kind === "credential_changed");
  // The login lives: it rests, and needs nobody.
  strictEqual(event.credential.kind, "quarantined");
  // A later 401 is another matter.
  clock.advance(16 * SECOND_MS);
  ok(await refresher.renew(second, PATIENT) !== null);
  strictEqual(server.tokenCalls.length, 2);
});

Deno.test("served() takes back what a refused token made the pool believe", async () => {
  await using folder = new TempFolder();
  const { server, refresher, events } = await stage(folder, HOUR_MS);
  await using _server = server;
  const first = await refresher.authorization(A, PATIENT);
  const second = await refresher.renew(first, PATIENT);
  ok(second !== null);
  await refresher.renew(second, PATIENT).catch(() => {});
  refresher.served(A);
  refresher.served(A);
  deepStrictEqual(
    events.map((event) => "credential" in event && event.credential.kind),
    ["ready", "quarantined", "ready"],
  );
});

Deno.test("renew() takes what another process has renewed already", async () => {
  await using folder = new TempFolder();
  const { server, refresher, opened, clock } = await stage(folder, HOUR_MS);
  await using _server = server;
  const other = refresherOn(await fileVault(folder.join("vault")), server, {
    clock,
  });
  const ours = await refresher.authorization(A, PATIENT);
  const theirs = await other.refresher.authorization(A, PATIENT);
  const renewed = await other.refresher.renew(theirs, PATIENT);
  const adopted = await refresher.renew(ours, PATIENT);
  strictEqual(adopted?.token.reveal(), renewed?.token.reveal());
  strictEqual(server.tokenCalls.length, 1);
  strictEqual(server.killed, 0);
  ok((await opened.vault.get(A)) !== null);
});

Deno.test("a dead refresh token is told, remembered by value and never sent again", async () => {
  await using folder = new TempFolder();
  const { server, family, refresher, events, journal, opened, clock } =
    await stage(folder, -SECOND_MS);
  await using _server = server;
  family.isAlive = false;
  const error = {
    code: "needs_login",
    hint: "tc login --account a",
    exitCode: 4,
  };
  await rejects(refresher.authorization(A, PATIENT), error);
  strictEqual(server.tokenCalls.length, 1);
  strictEqual(journal.count("token_refused"), 1);
  const told = events.map((event) =>
    "credential" in event && event.credential.kind
  );
  deepStrictEqual(told, ["needs_login"]);

  for (
    const reader of [
      refresher,
      refresherOn(opened, server, { clock }).refresher,
    ]
  ) {
    for (let round = 0; round < 5; round++) {
      await rejects(reader.authorization(A, PATIENT), error);
      clock.advance(HOUR_MS);
    }
  }
  strictEqual(server.tokenCalls.length, 1);
  strictEqual(refreshTokenOf(await opened.vault.get(A)), family.refreshToken);

  const restarted = refresherOn(opened, server, { clock });
  await restarted.refresher.reload();
  deepStrictEqual(
    restarted.events.map((event) =>
      "credential" in event && event.credential.kind
    ),
    ["needs_login"],
  );
});

Deno.test("a new login brings a dead account back", async () => {
  await using folder = new TempFolder();
  const { server, family, refresher, events, opened, clock } = await stage(
    folder,
    -SECOND_MS,
  );
  await using _server = server;
  family.isAlive = false;
  await rejects(refresher.authorization(A, PATIENT), { code: "needs_login" });
  const again = server.mint("a");
  await opened.vault.put(entryOf(again, after(clock.now(), HOUR_MS)));
  await refresher.reload();
  const auth = await refresher.authorization(A, PATIENT);
  strictEqual(auth.token.reveal(), again.accessToken);
  const last = events.at(-1);
  ok(last?.kind === "credential_changed" && last.credential.kind === "ready");
});

Deno.test("a login that comes while a renewal is under way is kept", async () => {
  await using folder = new TempFolder();
  const { server, refresher, opened, clock } = await stage(folder, -SECOND_MS);
  await using _server = server;
  server.delayMs = 60;
  const renewing = refresher.authorization(A, PATIENT);
  while (server.tokenCalls.length === 0) await realClock.sleep(2);
  const login = oauthEntry("a", "from-a-login");
  await opened.vault.put({
    ...login,
    credential: login.credential.kind === "oauth"
      ? { ...login.credential, expiresAt: after(clock.now(), HOUR_MS) }
      : login.credential,
  });
  const auth = await renewing;
  strictEqual(auth.token.reveal(), "sk-ant-oat01-FAKE-from-a-login");
  strictEqual(
    refreshTokenOf(await opened.vault.get(A)),
    "sk-ant-ort01-FAKE-from-a-login",
  );
});

Deno.test("an account removed while it is renewed stays removed", async () => {
  await using folder = new TempFolder();
  const { server, refresher, opened } = await stage(folder, -SECOND_MS);
  await using _server = server;
  server.delayMs = 60;
  const renewing = rejects(refresher.authorization(A, PATIENT), {
    code: "needs_login",
    message: "Cannot use a: there is no such account",
  });
  while (server.tokenCalls.length === 0) await realClock.sleep(2);
  await opened.vault.remove(A);
  await renewing;
  strictEqual(await opened.vault.get(A), null);
});

Deno.test("who gives up waiting does not stop the renewal of the others", async () => {
  await using folder = new TempFolder();
  const { server, family, refresher } = await stage(folder, -SECOND_MS);
  await using _server = server;
  server.delayMs = 60;
  const stop = new AbortController();
  const impatient = refresher.authorization(A, stop.signal);
  const patient = refresher.authorization(A, PATIENT);
  stop.abort(new Error("gone"));
  await rejects(impatient, { message: "gone" });
  strictEqual((await patient).token.reveal(), family.accessToken);
  strictEqual(server.tokenCalls.length, 1);
});

Deno.test("an answer lost on the way: one more try, then a login is needed", async () => {
  await using folder = new TempFolder();
  const { server, family, refresher, opened } = await stage(folder, -SECOND_MS);
  await using _server = server;
  const before = family.refreshToken;
  server.faults.push({ kind: "lose_answer" });
  await rejects(refresher.authorization(A, PATIENT), { code: "needs_login" });
  strictEqual(server.tokenCalls.length, 2);
  // Nothing is wiped: the old credential stands there, known to be dead.
  const stored = await opened.vault.get(A);
  strictEqual(refreshTokenOf(stored), before);
  ok(stored?.refusedTokenHash?.length === 64);
});

Deno.test("a connection cut before anything was done: one more try serves", async () => {
  await using folder = new TempFolder();
  const { server, family, refresher } = await stage(folder, -SECOND_MS);
  await using _server = server;
  server.faults.push({ kind: "cut" });
  const auth = await refresher.authorization(A, PATIENT);
  strictEqual(auth.token.reveal(), family.accessToken);
  strictEqual(server.tokenCalls.length, 2);
});

Deno.test("after a lost answer the store is read again before the second try", async () => {
  await using folder = new TempFolder();
  const { server, family, opened, clock } = await stage(folder, -SECOND_MS);
  await using _server = server;
  server.faults.push({ kind: "lose_answer" });
  const quick = {
    ...clock,
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs(),
    async sleep(ms: number, signal?: AbortSignal) {
      if (ms === 500) {
        // Another holder, who did get the answer, writes it down.
        await opened.vault.put(entryOf(family, after(clock.now(), HOUR_MS)));
      }
      await clock.sleep(ms, signal);
    },
  };
  const { refresher } = refresherOn(opened, server, { clock: quick });
  const auth = await refresher.authorization(A, PATIENT);
  strictEqual(auth.token.reveal(), family.accessToken);
  strictEqual(server.tokenCalls.length, 1);
  strictEqual(server.killed, 0);
});

/** What the token endpoint may answer instead of tokens. */
const HOSTILE_ANSWERS = [
  { status: 200, body: "<html>Please log in to the hotel</html>" },
  { status: 200, body: "" },
  { status: 200, body: "{}" },
  { status: 200, body: '{"access_token": "sk-' },
  { status: 200, body: '{"access_token": "", "refresh_token": ""}' },
  { status: 200, body: '{"access_token": "a b", "refresh_token": "c"}' },
  { status: 200, body: '{"access_token": null}' },
  { status: 200, body: "[]" },
  { status: 301, body: "", headers: { location: "https://elsewhere.example" } },
  { status: 308, body: "{}", headers: { location: "/x" } },
  { status: 400, body: "<html>Bad request</html>" },
  { status: 400, body: '{"error": "invalid_request"}' },
  { status: 401, body: '{"error": "invalid_client"}' },
  { status: 403, body: "<html>Blocked by your company</html>" },
  { status: 404, body: "not found" },
  {
    status: 429,
    body: '{"error": "slow_down"}',
    headers: { "retry-after": "300" },
  },
  { status: 500, body: "oops" },
  { status: 502, body: '{"error": "bad gateway"}' },
  { status: 503, body: "" },
];

Deno.test("an endpoint that answers anything but tokens never damages the store", async () => {
  for (const answer of HOSTILE_ANSWERS) {
    await using folder = new TempFolder();
    const { server, family, refresher, opened, clock, events } = await stage(
      folder,
      -SECOND_MS,
    );
    await using _server = server;
    const before = family.refreshToken;
    const what = JSON.stringify(answer);
    server.faults.push({ kind: "answer", ...answer }, {
      kind: "answer",
      ...answer,
    });
    await rejects(
      refresher.authorization(A, PATIENT),
      { code: "credential_unavailable" },
      what,
    );
    const stored = await opened.vault.get(A);
    strictEqual(refreshTokenOf(stored), before, what);
    strictEqual(stored?.refusedTokenHash, null, what);
    const event = events.at(-1);
    ok(event?.kind === "credential_changed", what);
    strictEqual(event.credential.kind, "quarantined", what);
    // It mends itself as soon as the endpoint does.
    server.faults.length = 0;
    clock.advance(15 * MINUTE_MS);
    const auth = await refresher.authorization(A, PATIENT);
    strictEqual(auth.token.reveal(), family.accessToken, what);
    strictEqual(server.killed, 0, what);
  }
});

Deno.test("a failing endpoint is asked once a minute at most, then less", async () => {
  await using folder = new TempFolder();
  const { server, refresher, clock } = await stage(folder, -SECOND_MS);
  await using _server = server;
  for (let index = 0; index < 100; index++) {
    server.faults.push({ kind: "answer", status: 404, body: "" });
  }
  const asked: number[] = [];
  for (let second = 0; second < 3_600; second += 5) {
    const before = server.tokenCalls.length;
    await refresher.authorization(A, PATIENT).catch(() => {});
    if (server.tokenCalls.length > before) asked.push(second);
    clock.advance(5 * SECOND_MS);
  }
  deepStrictEqual(asked, [0, 60, 180, 420, 900, 1_800, 2_700]);
});

Deno.test("a token that cannot be renewed ahead of time serves until its end", async () => {
  await using folder = new TempFolder();
  const { server, family, refresher, clock } = await stage(folder, MINUTE_MS);
  await using _server = server;
  const token = family.accessToken;
  for (let index = 0; index < 9; index++) {
    server.faults.push({ kind: "answer", status: 503, body: "" });
  }
  const auth = await refresher.authorization(A, PATIENT);
  strictEqual(auth.token.reveal(), token);
  clock.advance(2 * MINUTE_MS);
  await rejects(refresher.authorization(A, PATIENT), {
    code: "credential_unavailable",
    exitCode: 75,
  });
});

Deno.test("senseless lifetimes are bounded, and a missing refresh token keeps the old one", async () => {
  const table: readonly (readonly [Record<string, unknown>, number])[] = [
    [{ expires_in: 0 }, HOUR_MS],
    [{ expires_in: -5 }, HOUR_MS],
    [{ expires_in: "7200" }, 2 * HOUR_MS],
    [{ expires_in: "soon" }, HOUR_MS],
    [{ expires_in: null }, HOUR_MS],
    [{ expires_in: 1e300 }, 366 * 24 * HOUR_MS],
    [{ expires_in: 1 }, MINUTE_MS],
    [{ expires_in: {} }, HOUR_MS],
    [{ expires_in: null, expires_at: 1 }, HOUR_MS],
    [{ expires_in: null, expires_at: 1e15 }, 366 * 24 * HOUR_MS],
    [{ expires_in: 28_800, expires_at: 5 }, 8 * HOUR_MS],
  ];
  for (const [fields, lifeMs] of table) {
    await using folder = new TempFolder();
    const { server, refresher, opened, clock } = await stage(
      folder,
      -SECOND_MS,
    );
    await using _server = server;
    server.faults.push({ kind: "fields", fields });
    await refresher.authorization(A, PATIENT);
    const stored = await opened.vault.get(A);
    ok(stored?.credential.kind === "oauth");
    strictEqual(
      stored.credential.expiresAt - clock.now(),
      lifeMs,
      JSON.stringify(fields),
    );
  }
  await using folder = new TempFolder();
  const { server, family, refresher, opened } = await stage(folder, -SECOND_MS);
  await using _server = server;
  const before = family.refreshToken;
  server.faults.push({ kind: "fields", fields: { refresh_token: undefined } });
  await refresher.authorization(A, PATIENT);
  strictEqual(refreshTokenOf(await opened.vault.get(A)), before);
});

Deno.test("a shared login whose refresh token stays the same is not called dead", async () => {
  await using folder = new TempFolder();
  const { server, refresher, opened, clock } = await stage(folder, -SECOND_MS);
  await using _server = server;
  const sharedWith = { tool: "maxpool", location: "/gone" } as const;
  await opened.vault.update(A, (entry) => ({ ...entry, sharedWith }));
  server.faults.push({ kind: "fields", fields: { refresh_token: undefined } });
  await refresher.authorization(A, PATIENT);
  const restarted = refresherOn(opened, server, { clock });
  await restarted.refresher.reload();
  deepStrictEqual(
    restarted.events.map((event) =>
      "credential" in event && event.credential.kind
    ),
    ["ready"],
  );
});

Deno.test("a token of a minute is not renewed at every request", async () => {
  await using folder = new TempFolder();
  const { server, refresher, clock } = await stage(folder, -SECOND_MS);
  await using _server = server;
  server.lifeS = 60;
  for (let second = 0; second < 60; second++) {
    await refresher.authorization(A, PATIENT);
    clock.advance(SECOND_MS);
  }
  ok(server.tokenCalls.length <= 2, String(server.tokenCalls.length));
});

Deno.test("keys and setup tokens are given as they are and never renewed", async () => {
  await using folder = new TempFolder();
  const { server, refresher, opened, events } = await stage(folder, HOUR_MS);
  await using _server = server;
  await opened.vault.put(oauthEntry("key", "", {
    kind: "api_key",
    credential: { kind: "api_key", token: new Secret("sk-ant-api03-FAKE") },
  }));
  await opened.vault.put(oauthEntry("setup", "", {
    kind: "setup_token",
    credential: {
      kind: "setup_token",
      token: new Secret("sk-ant-oat01-FAKE"),
      expiresAt: null,
    },
  }));
  for (
    const [id, scheme] of [["key", "api_key"], ["setup", "oauth"]] as const
  ) {
    const auth = await refresher.authorization(idOf(id), PATIENT);
    strictEqual(auth.scheme, scheme);
    strictEqual(await refresher.renew(auth, PATIENT), null);
    const event = events.at(-1);
    ok(event?.kind === "credential_changed");
    strictEqual(event.accountId, id);
    strictEqual(event.credential.kind, "needs_login");
  }
  strictEqual(server.tokenCalls.length, 0);
});

Deno.test("a backend's destination comes with its authorization", async () => {
  await using folder = new TempFolder();
  const { server, opened } = await stage(folder, HOUR_MS);
  await using _server = server;
  const { refresher } = refresherOn(opened, server, {
    destination: {
      origin: "https://backend.example.test",
      modelMap: { opus: "other" },
    },
  });
  await opened.vault.put(oauthEntry("back", "", {
    kind: "backend",
    credential: { kind: "bearer", token: new Secret("FAKE") },
  }));
  const auth = await refresher.authorization(idOf("back"), PATIENT);
  strictEqual(auth.scheme, "bearer");
  strictEqual(auth.origin, "https://backend.example.test");
  deepStrictEqual(auth.modelMap, { opus: "other" });
});

Deno.test("an unknown account and a damaged entry are told, not guessed", async () => {
  await using folder = new TempFolder();
  const { server, refresher, events } = await stage(folder, HOUR_MS);
  await using _server = server;
  await rejects(refresher.authorization(idOf("nobody"), PATIENT), {
    code: "needs_login",
  });
  await Deno.writeTextFile(folder.join("vault/b.vault"), "damage");
  await rejects(refresher.authorization(idOf("b"), PATIENT), {
    code: "needs_login",
  });
  await refresher.reload();
  deepStrictEqual(
    events.map((event) =>
      "credential" in event && [event.accountId, event.credential.kind]
    ),
    [["b", "needs_login"], ["a", "ready"]],
  );
});
