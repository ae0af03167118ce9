/**
 * Acceptance: accounts that are closed, failing or gone. Peers' tests 4, 6 and
 * 11; test 5 needs a whole process (acceptance_process_test.ts).
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { DemoPlane, numbered } from "../fixtures/demo_plane.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { until } from "../fixtures/upstream_client.ts";

const SECOND_MS = 1_000;

Deno.test("4: with all accounts spent a stream is held, and JSON told when", async () => {
  await using plane = await DemoPlane.open({
    kit: {
      hold: { maxMs: 20_000, jsonMaxMs: 1_000, silentMs: 500, pingMs: 500 },
    },
  });
  for (const account of plane.api.accounts()) {
    account.windows({ "5h": 1 }).resetIn("5h", 9 * SECOND_MS);
  }
  const startedMs = performance.now();
  const [held, told] = await Promise.all([
    plane.ask({ session: "held", nonce: "held", text: "demo:say at last" }),
    plane.ask({ session: "told", nonce: "told", isStream: false }),
  ]);
  strictEqual(told.status, 429);
  const { error } = JSON.parse(told.text);
  strictEqual(error.type, "rate_limit_error");
  match(error.message, /All 3 accounts are closed: a, b and c: .*5h/);
  const wait = Number(told.headers.get("retry-after"));
  // Stated in whole seconds, rounded up by the provider and by us.
  ok(wait >= 1 && wait <= 10, `retry-after ${wait}`);

  strictEqual(held.status, 200);
  ok(performance.now() - startedMs > 7 * SECOND_MS, "nothing was held");
  const pings = held.text.split("event: ping").length - 1;
  ok(pings >= 5, `${pings} pings`);
  ok(held.text.includes("at last") && held.text.includes("message_stop"));
  strictEqual(held.text.split("event: message_start").length, 2);
  plane.assertSentOnce();
  await plane.kit.isEmpty();
});

for (
  const [name, refusal] of [
    ["529", "overloaded"],
    ["500", "server_error"],
  ] as const
) {
  Deno.test(`6: an account that answers ${name} is left for another`, async () => {
    await using plane = await DemoPlane.open({
      accounts: ["a", "b"],
      kit: { hold: { silentMs: 10_000 } },
    });
    plane.api.account("a").refuse(refusal);
    const answers = await Promise.all(
      numbered(
        4,
        (index) => plane.ask({ session: `s${index}`, nonce: `${index}` }),
      ),
    );
    deepStrictEqual(answers.map(({ status }) => status), [200, 200, 200, 200]);
    ok(plane.asked.includes("a"), "nobody asked a");
    plane.assertSentOnce();
    // The provider failed, not the account: it is asked again at once.
    plane.api.account("a").serve();
    const again = await plane.ask({ headers: { "x-tc-account": "a" } });
    strictEqual(again.status, 200);
    await plane.kit.isEmpty();
  });
}

Deno.test("6: a network that dies under a request is told of, not tried twice", async () => {
  await using plane = await DemoPlane.open({
    kit: { upstream: { firstByteMs: 500 }, hold: { silentMs: 10_000 } },
  });
  // Sent, and then nothing: whether it was served cannot be known.
  plane.network.freeze();
  const hung = await plane.ask({ session: "hung", nonce: "hung" });
  plane.network.thaw();
  strictEqual(hung.status, 502);
  match(hung.text, /was not sent again/);
  const after = await plane.ask({ session: "after", nonce: "after" });
  strictEqual(after.status, 200);
  plane.assertSentOnce();
  await plane.kit.isEmpty();
});

Deno.test("6: refusals of the request itself cost no account anything", async () => {
  await using plane = await DemoPlane.open({ accounts: ["a"] });
  for (let count = 0; count < 10; count++) {
    plane.api.next().fail(count % 2 === 0 ? "invalid_request" : "not_found");
    const refused = await plane.ask({ session: "bad" });
    strictEqual(refused.status, count % 2 === 0 ? 400 : 404);
  }
  const startedMs = performance.now();
  strictEqual((await plane.ask({ session: "good" })).status, 200);
  ok(performance.now() - startedMs < 5 * SECOND_MS);
  strictEqual(plane.messages().length, 11);
  deepStrictEqual(
    plane.kit.keeper.snapshot().accounts.values().next().value?.bench,
    { kind: "available" },
  );
});

for (
  const [name, where] of [
    ["before the first byte", "delay"],
    ["in mid-stream", "stream"],
    ["while it is held", "held"],
  ] as const
) {
  Deno.test(`11: a client that leaves ${name} frees everything`, async () => {
    await using plane = await DemoPlane.open({ accounts: ["a"] });
    const leaving = new AbortController();
    const ask = {
      session: "one",
      text: "demo:tokens 4000",
      signal: leaving.signal,
    };
    if (where === "delay") plane.api.next().delay(60_000).serve();
    if (where === "stream") plane.api.set({ tokensPerSecond: 20 });
    if (where === "held") {
      plane.api.account("a").windows({ "5h": 1 }).resetIn("5h", 15 * SECOND_MS);
    }
    const asking = plane.ask(ask).catch(() => null);
    await until(() => plane.messages().length === 1, 10_000);
    await realClock.sleep(300);
    strictEqual(plane.kit.proxy.book.openCount, 1);
    leaving.abort();
    const goneMs = performance.now();
    await asking;
    await plane.kit.isEmpty();
    await until(() => plane.api.running === 0, 10_000);
    const tookMs = performance.now() - goneMs;
    ok(tookMs < SECOND_MS, `it took ${Math.round(tookMs)} ms`);
    strictEqual(
      plane.messages()[0]?.ending,
      where === "held" ? "complete" : "client_gone",
    );
    deepStrictEqual(plane.kit.records.map(({ end }) => end), ["client_gone"]);
  });
}
