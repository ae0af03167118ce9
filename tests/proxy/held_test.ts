import {
  deepStrictEqual,
  notStrictEqual,
  ok,
  strictEqual,
} from "node:assert/strict";
import zlib from "node:zlib";
import { account } from "../fixtures/pool.ts";
import { ask, EVENTS, MESSAGE, STREAM } from "../fixtures/proxy_client.ts";
import { errorBody, inMs, type ProxyKit } from "../fixtures/proxy_kit.ts";
import { json, Scene, spent } from "../fixtures/proxy_scene.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { until } from "../fixtures/upstream_client.ts";

const PING = 'event: ping\ndata: {"type": "ping"}\n\n';
const HOUR_MS = 3_600_000;

function spendAll(kit: ProxyKit, resetsInMs: number): void {
  for (const label of ["a", "b", "c"]) kit.spend(label, inMs(resetsInMs));
}

/** Takes the pings off the beginning, and counts them. */
function withoutPings(text: string): { pings: number; rest: string } {
  let pings = 0;
  while (text.startsWith(PING.repeat(pings + 1))) pings++;
  return { pings, rest: text.slice(pings * PING.length) };
}

Deno.test("a stream is held with pings until a window refills, then served", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  spendAll(kit, 700);
  const response = await ask(kit, { isStream: true });
  strictEqual(response.status, 200);
  strictEqual(kit.proxy.book.open()[0]?.state, "held");
  const { pings, rest } = withoutPings(await response.text());
  ok(pings >= 3, `${pings} pings`);
  strictEqual(rest, EVENTS);
  strictEqual(scene.asked.length, 1);
  const [record] = await kit.settled(1);
  // Less than the 700 ms by what the machine took to ask.
  ok((record?.waitedMs ?? 0) >= 300, `waited ${record?.waitedMs} ms`);
  strictEqual(record?.end, "complete");
  strictEqual(record?.usage?.output, 15);
  await kit.isEmpty();
});

Deno.test("a held stream gets compressed events without their coding", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  const bytes = new TextEncoder().encode(EVENTS);
  for (
    const [coding, body] of [
      ["gzip", zlib.gzipSync(bytes)],
      ["br", zlib.brotliCompressSync(bytes)],
      ["zstd", zlib.zstdCompressSync(bytes)],
    ] as const
  ) {
    spendAll(kit, 300);
    const headers = [...STREAM.headers ?? [], ["content-encoding", coding]];
    origin.next({
      ...STREAM,
      headers: headers as [string, string][],
      body: new Uint8Array(body),
      writes: [30],
    });
    const response = await ask(kit, { isStream: true });
    strictEqual(response.headers.get("content-encoding"), null);
    strictEqual(withoutPings(await response.text()).rest, EVENTS, coding);
  }
  await kit.isEmpty();
});

Deno.test("a held stream that breaks ends as broken", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  spendAll(kit, 300);
  origin.next({ ...STREAM, cutAt: 400 });
  const response = await ask(kit, { isStream: true });
  let isBroken = false;
  await response.text().catch(() => isBroken = true);
  strictEqual(isBroken, true);
  strictEqual((await kit.settled(1))[0]?.end, "upstream_failed");
  await kit.isEmpty();
});

Deno.test("a held stream gets the provider's refusal as an event", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  spendAll(kit, 300);
  origin.next(json(400, "invalid_request_error", "because"));
  const response = await ask(kit, { isStream: true });
  const { rest } = withoutPings(await response.text());
  const body = errorBody("invalid_request_error", "because");
  strictEqual(rest, `event: error\ndata: ${body}\n\n`);
  await kit.isEmpty();
});

Deno.test("a plain answer is held in silence for a short while", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  spendAll(kit, 500);
  const response = await ask(kit);
  strictEqual(response.status, 200);
  strictEqual(await response.text(), MESSAGE);
  await kit.isEmpty();
});

for (const isStream of [true, false]) {
  const form = isStream ? "a stream" : "a plain answer";
  Deno.test(`${form} is refused at once when nothing opens in time`, async () => {
    await using scene = new Scene();
    const { kit } = scene;
    spendAll(kit, HOUR_MS);
    // Claude Code in AUTH_TOKEN mode would never continue after limit lines.
    const headers = { "user-agent": "claude-cli/2.1.332 (external, cli)" };
    const response = await ask(kit, { isStream, headers });
    strictEqual(response.status, 429);
    const retryAfter = Number(response.headers.get("retry-after"));
    ok(retryAfter >= 1 && retryAfter <= 55, `retry-after ${retryAfter}`);
    for (const [name] of response.headers) {
      ok(!name.startsWith("anthropic-"), name);
    }
    const { type, error } = await response.json();
    strictEqual(type, "error");
    strictEqual(error.type, "rate_limit_error");
    for (const label of ["a", "b", "c"]) ok(error.message.includes(label));
    deepStrictEqual(scene.asked, []);
    await kit.isEmpty();
  });
}

Deno.test("a throttle of the only account holds a stream with pings", async () => {
  await using scene = new Scene({ accounts: ["a"] });
  const { kit, origin } = scene;
  origin.next({
    status: 429,
    headers: [
      ["content-type", "application/json"],
      ["retry-after", "1"],
      ["anthropic-ratelimit-unified-status", "allowed"],
    ],
    body: errorBody("rate_limit_error", "slow down"),
  });
  const response = await ask(kit, { isStream: true });
  const { pings, rest } = withoutPings(await response.text());
  ok(pings >= 3, `${pings} pings`);
  strictEqual(rest, EVENTS);
  strictEqual(scene.asked.length, 2);
  strictEqual(new Set(scene.asked).size, 1);
  const [record] = await kit.settled(1);
  ok((record?.waitedMs ?? 0) >= 900, `waited ${record?.waitedMs} ms`);
  await kit.isEmpty();
});

/** A conversation with a large cache on the account that served it. */
async function withCache(
  scene: Scene,
  session: string,
): Promise<string> {
  const { kit, origin } = scene;
  origin.next({
    ...STREAM,
    body: EVENTS.replace('"input_tokens":25', '"input_tokens":90000'),
  });
  await (await ask(kit, { isStream: true, session })).text();
  return scene.asked.at(-1) ?? "";
}

Deno.test("a plain answer comes from another account if its cache's account is closed beyond the hold", async () => {
  await using scene = new Scene({ hold: { jsonMaxMs: 1_000 } });
  const { kit, origin } = scene;
  const session = "33333333-2222-4333-8444-555555555555";
  const home = await withCache(scene, session);
  // A stream would wait for the cache; 60 s are worth it.
  kit.spend(home, inMs(60_000));
  const spentAway = await ask(kit, { session });
  strictEqual(spentAway.status, 200, await spentAway.text());
  notStrictEqual(scene.asked.at(-1), home);

  const other = "44444444-2222-4333-8444-555555555555";
  const second = await withCache(scene, other);
  origin.next({
    ...spent(),
    headers: [["content-type", "application/json"], ["retry-after", "60"]],
  });
  const throttledAway = await ask(kit, { session: other });
  strictEqual(throttledAway.status, 200, await throttledAway.text());
  notStrictEqual(scene.asked.at(-1), second);
  const records = await kit.settled(4);
  for (const { waitedMs } of records) ok(waitedMs < 1_000, String(waitedMs));
  await kit.isEmpty();
});

Deno.test("waiting requests are served in the order in which they came", async () => {
  await using scene = new Scene({
    accounts: ["a"],
    settings: { fullWaitMaxMs: 60_000 },
  });
  const { kit, origin } = scene;
  kit.keeper.dispatch({
    kind: "account_put",
    account: account("a", { leasesMax: 1 }),
    at: realClock.now(),
  });
  origin.next({ ...STREAM, stallAt: 400 });
  const leaving = new AbortController();
  const first = await ask(kit, { isStream: true, signal: leaving.signal });
  const sessions = ["s1", "s2", "s3", "s4"];
  const waiting: Promise<string>[] = [];
  for (const session of sessions) {
    waiting.push(
      ask(kit, { isStream: true, session }).then((answer) => answer.text()),
    );
    await until(() => kit.keeper.state.waiting.size === waiting.length);
  }
  strictEqual(scene.asked.length, 1);
  leaving.abort();
  await first.body?.cancel().catch(() => {});
  await Promise.all(waiting);
  const order = origin.requests().slice(1).map(({ headers }) =>
    headers.find(([name]) => name === "x-claude-code-session-id")?.[1]
  );
  deepStrictEqual(order, sessions);
  await kit.isEmpty();
});

Deno.test("a request wakes as soon as an account opens", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  spendAll(kit, 15_000);
  const startedMs = performance.now();
  const response = await ask(kit, { isStream: true });
  const text = response.text();
  await realClock.sleep(100);
  kit.keeper.dispatch({
    kind: "quota_observed",
    observation: {
      accountId: [...kit.keeper.state.accounts.keys()][0] ?? "" as never,
      at: realClock.now(),
      source: "usage_endpoint",
      windows: Object.values(
        [...kit.keeper.state.accounts.values()][0]?.windows ?? {},
      ).map((window) => ({
        ...window,
        status: "allowed" as const,
        utilization: 0.1,
        observedAt: realClock.now(),
      })),
      overage: null,
    },
  });
  strictEqual(withoutPings(await text).rest, EVENTS);
  ok(performance.now() - startedMs < 5_000);
  await kit.isEmpty();
});

Deno.test("no more requests are held than hold.requestsMax allows", async () => {
  await using scene = new Scene({ hold: { requestsMax: 2 } });
  const { kit } = scene;
  spendAll(kit, 15_000);
  const leaving = new AbortController();
  const { signal } = leaving;
  const held = await Promise.all(
    [1, 2].map(() => ask(kit, { isStream: true, signal })),
  );
  strictEqual(kit.proxy.holds.held, 2);
  const refused = await ask(kit, { isStream: true });
  strictEqual(refused.status, 429);
  await refused.text();
  leaving.abort();
  for (const { body } of held) await body?.cancel().catch(() => {});
  await kit.isEmpty();
});

/** Where the request is when its client leaves. */
const LEAVES = ["held", "silent", "asked", "streaming", "paused"] as const;

for (const when of LEAVES) {
  Deno.test(`a client that leaves while ${when} frees all of it`, async () => {
    await using scene = new Scene({
      hold: { silentMs: when === "silent" ? 10_000 : 30 },
    });
    const { kit, origin } = scene;
    if (when === "held" || when === "silent") spendAll(kit, 10_000);
    if (when === "asked") origin.next({ ...STREAM, delayMs: 10_000 });
    if (when === "streaming") origin.next({ ...STREAM, stallAt: 500 });
    if (when === "paused") {
      origin.next({
        status: 529,
        headers: [["retry-after", "4"]],
        body: errorBody("overloaded_error"),
      });
    }
    const leaving = new AbortController();
    const asking = ask(kit, { isStream: true, signal: leaving.signal })
      .then((answer) => answer.text()).catch(() => "left");
    await until(() => kit.proxy.book.openCount === 1);
    if (when === "asked" || when === "streaming" || when === "paused") {
      await until(() => origin.requests().length === 1);
    }
    await realClock.sleep(100);
    const leftMs = performance.now();
    leaving.abort();
    strictEqual(await asking, "left");
    const [record] = await kit.settled(1);
    const goneMs = performance.now() - leftMs;
    ok(goneMs < 2_000, `noticed after ${goneMs} ms`);
    strictEqual(record?.end, "client_gone");
    await kit.isEmpty();
    const sent = origin.requests()[0];
    if (when !== "asked" && when !== "streaming") return;
    await until(() => sent?.closedAtMs !== null);
    strictEqual(sent?.closedBy, "client");
    ok((sent?.closedAtMs ?? Infinity) - leftMs < 250);
  });
}

Deno.test("a spent account and a reset ahead: held, then served elsewhere", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  origin.next(spent(2), spent(2), spent(2));
  const response = await ask(kit, { isStream: true });
  const { pings, rest } = withoutPings(await response.text());
  ok(pings >= 3, `${pings} pings`);
  strictEqual(rest, EVENTS);
  strictEqual(scene.asked.length, 4);
  await kit.isEmpty();
});
