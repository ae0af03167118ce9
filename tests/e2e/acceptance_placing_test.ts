/**
 * Acceptance: where conversations go, and that they stay. Peers' tests 2, 3, 9
 * and 10; test 1 needs the real client (acceptance_client_test.ts).
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { DemoPlane, numbered } from "../fixtures/demo_plane.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { until } from "../fixtures/upstream_client.ts";

const SECOND_MS = 1_000;

/** The account that a conversation's requests came on; throws unless one. */
function onlyAccount(names: readonly (string | null)[]): string {
  const [name, ...others] = new Set(names);
  deepStrictEqual(others, []);
  return name ?? "nobody";
}

Deno.test("2: twenty sub-agents of one session are spread, each on one account", async () => {
  await using plane = await DemoPlane.open({
    api: { tokensPerSecond: 100 },
    kit: { hold: { silentMs: 20_000 } },
  });
  await plane.ask({ session: "one", text: "demo:say start" });
  const agents = numbered(20, (index) => `agent-${index}`);
  await Promise.all(agents.map(async (agent) => {
    for (let turn = 0; turn < 3; turn++) {
      const got = await plane.ask({
        session: "one",
        agent,
        text: `demo:tokens 30 turn ${turn}`,
      });
      strictEqual(got.status, 200);
    }
  }));
  const counts = new Map<string, number>();
  for (const agent of agents) {
    const own = plane.messages().filter((request) => request.agent === agent);
    strictEqual(own.length, 3);
    const name = onlyAccount(own.map(({ account }) => account));
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  strictEqual(counts.size, 3);
  ok(Math.max(...counts.values()) <= 8, JSON.stringify([...counts]));
  await plane.kit.isEmpty();
});

Deno.test("3: a refusal moves a session before its first byte, and once", async () => {
  await using plane = await DemoPlane.open();
  await plane.ask({ session: "one", text: "demo:say hi" });
  const home = onlyAccount(plane.asked);
  plane.api.account(home).windows({ "5h": 1 }).resetIn("5h", 2 * SECOND_MS);

  const moved = await plane.ask({ session: "one", text: "demo:say moved" });
  strictEqual(moved.status, 200);
  ok(moved.text.includes("moved"));
  strictEqual(moved.text.split("event: message_start").length, 2);
  ok(!moved.text.includes("rate_limit"));
  const [, refused, served] = plane.messages();
  strictEqual(refused?.account, home);
  strictEqual(refused?.status, 429);
  const away = served?.account;
  ok(away !== home);

  // Its cache is there now: what opens again does not draw it back.
  for (let turn = 0; turn < 5; turn++) {
    if (turn === 2) await realClock.sleep(2.5 * SECOND_MS);
    await plane.ask({ session: "one", text: `demo:say ${turn}` });
  }
  strictEqual(onlyAccount(plane.asked.slice(2)), away);

  // Whoever asks for it by name is served there again.
  const back = await plane.ask({ session: "new", headers: toAccount(home) });
  strictEqual(back.status, 200);
  strictEqual(plane.asked.at(-1), home);
  await plane.kit.isEmpty();
});

Deno.test("9: a refusal of one model leaves the account to the others", async () => {
  await using plane = await DemoPlane.open({ accounts: ["a", "b"] });
  const fable = { model: "claude-fable-5", text: "demo:say hi" };
  const opus = { model: "claude-opus-5-5", text: "demo:say hi" };
  plane.api.account("a").windows({ "7d_oi": 1 });
  await plane.ask({ ...opus, session: "opus", headers: toAccount("a") });
  const refused = await plane.ask({
    ...fable,
    session: "named",
    headers: toAccount("a"),
  });
  strictEqual(refused.status, 429);

  for (let turn = 0; turn < 3; turn++) {
    strictEqual(
      (await plane.ask({ ...fable, session: `f${turn}` })).status,
      200,
    );
    strictEqual((await plane.ask({ ...opus, session: "opus" })).status, 200);
  }
  const later = plane.messages().slice(2);
  deepStrictEqual(
    later.map(({ model, account, status }) => [model, account, status]),
    numbered(3, () => [
      [fable.model, "b", 200],
      [opus.model, "a", 200],
    ]).flat(),
  );
  await plane.kit.isEmpty();
});

function toAccount(name: string): Readonly<Record<string, string>> {
  return { "x-tc-account": name };
}

Deno.test("10: a thread that would move is refused so that the client starts over", async () => {
  await using plane = await DemoPlane.open();
  const thread = (type: string) => ({
    session: "one",
    text: "demo:say hi",
    body: { thread: { type } },
    headers: { "user-agent": "claude-cli/2.1.332 (external, cli)" },
  });
  strictEqual((await plane.ask(thread("create"))).status, 200);
  strictEqual((await plane.ask(thread("continue"))).status, 200);
  const home = onlyAccount(plane.asked);
  plane.api.account(home).windows({ "5h": 1 });

  const refused = await plane.ask({ ...thread("continue"), isStream: false });
  strictEqual(refused.status, 400);
  const { error } = JSON.parse(refused.text);
  strictEqual(error.type, "invalid_request_error");
  strictEqual(error.details.error_code, "thread_unsupported_request");
  match(error.message, /send the whole conversation/);
  // What the client then sends is served elsewhere.
  const whole = await plane.ask({ session: "one", text: "demo:say whole" });
  strictEqual(whole.status, 200);
  ok(plane.asked.at(-1) !== home);
  await until(() => plane.kit.keeper.state.leases.size === 0);
});
