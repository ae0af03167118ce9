/** Many conversations that come, or move, in the same instant (R9). */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import {
  DemoPlane,
  numbered,
  type PlaneAsk,
  type Tally,
} from "../fixtures/demo_plane.ts";
import { report } from "../fixtures/report.ts";

const FOUR = ["a", "b", "c", "d"];

/** Nobody is turned away for being one of many. */
const PATIENT = {
  maxMs: 40_000,
  jsonMaxMs: 40_000,
  silentMs: 5_000,
  requestsMax: 500,
};

/** An answer of about a third of a second. */
const SPEED = { tokensPerSecond: 300 };
const TEXT = "demo:tokens 100";

/** What the provider lets a max_20x account run at once. */
const PROVIDER_MAX = 14;

/** Sends all at once; how many got a whole answer. */
async function volley(
  plane: DemoPlane,
  asks: readonly PlaneAsk[],
): Promise<number> {
  const answers = await Promise.all(asks.map((ask) => plane.ask(ask)));
  return answers.filter(({ text }) => text.includes("message_stop")).length;
}

function show(title: string, tallies: ReadonlyMap<string, Tally>): void {
  const rows = [...tallies].map(([name, tally]) =>
    [
      name.padEnd(8),
      String(tally.requests).padStart(8),
      String(tally.refused429).padStart(5),
      String(tally.accepted).padStart(8),
    ].join(" ")
  );
  const head = "account  requests  429s accepted";
  report([title, head, ...rows].join("\n    "));
}

function sum(
  tallies: ReadonlyMap<string, Tally>,
  of: (tally: Tally) => number,
): number {
  return tallies.values().reduce((total, tally) => total + of(tally), 0);
}

/** The most requests that each account got before its first answer. */
function startsUnproven(plane: DemoPlane): ReadonlyMap<string, number> {
  const starts = new Map<string, number>();
  const leases = new Map<string, string>();
  const proven = new Set<string>();
  for (const event of plane.kit.events) {
    if (event.kind === "lease_opened") {
      leases.set(event.leaseId, event.accountId);
      if (proven.has(event.accountId)) continue;
      starts.set(event.accountId, (starts.get(event.accountId) ?? 0) + 1);
    } else if (event.kind === "verdict_given") {
      proven.add(leases.get(event.leaseId) ?? "");
    }
  }
  return starts;
}

Deno.test("200 new sessions at once on an idle pool of four are spread", async () => {
  await using plane = await DemoPlane.open({
    accounts: FOUR,
    api: SPEED,
    // Parking is for pools that cannot feed them: these are empty.
    kit: { isProven: false, hold: PATIENT, settings: { parking: 0 } },
  });
  const asks = numbered(200, (index) => ({
    session: `new-${index}`,
    nonce: `${index}`,
    text: TEXT,
  }));
  const startedMs = performance.now();
  strictEqual(await volley(plane, asks), 200);
  const tallies = plane.table();
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  show(`200 sessions at once, served within ${seconds} s`, tallies);

  plane.assertSentOnce();
  strictEqual(sum(tallies, ({ accepted }) => accepted), 200);
  for (const [name, { accepted, refused429 }] of tallies) {
    // Fifty each; on a busy machine who answers first is asked again first.
    ok(accepted >= 20 && accepted <= 90, `${name} served ${accepted}`);
    ok(refused429 <= PROVIDER_MAX, `${name} refused ${refused429}`);
  }
  ok(sum(tallies, ({ refused429 }) => refused429) <= 40, "a cascade of 429s");
  deepStrictEqual(
    [...startsUnproven(plane)].sort(),
    FOUR.map((name) => [name, 1]),
  );
  await plane.kit.isEmpty();
});

Deno.test("30 agents that fail over at once pull no other account down", async () => {
  await using plane = await DemoPlane.open({
    accounts: FOUR,
    api: SPEED,
    kit: { hold: PATIENT },
  });
  for (let index = 0; index < 30; index++) {
    await plane.ask({
      session: "fleet",
      agent: `agent-${index}`,
      text: "demo:say warm",
      headers: { "x-tc-account": "a" },
    });
  }
  const warm = plane.table().get("a");
  strictEqual(warm?.accepted, 30);

  plane.api.account("a").windows({ "5h": 1 }).resetIn("5h", 3_600_000);
  const asks = numbered(30, (index) => ({
    session: "fleet",
    agent: `agent-${index}`,
    nonce: `${index}`,
    text: TEXT,
  }));
  strictEqual(await volley(plane, asks), 30);
  const tallies = plane.table();
  show("30 agents fail over from a (30 served there before)", tallies);

  plane.assertSentOnce();
  for (const [name, { accepted, refused429 }] of tallies) {
    if (name === "a") {
      // No more than were in flight together can learn it the hard way.
      ok(refused429 >= 1 && refused429 <= 10, `a refused ${refused429}`);
      continue;
    }
    strictEqual(refused429, 0, `${name} refused ${refused429}`);
    ok(accepted >= 5 && accepted <= PROVIDER_MAX, `${name} served ${accepted}`);
  }
  for (const { agentId, count } of tries(plane)) {
    ok(count <= 2, `${agentId} was sent ${count} times`);
  }
  await plane.kit.isEmpty();
});

/** How often each agent's failing request reached the provider. */
function tries(
  plane: DemoPlane,
): readonly { readonly agentId: string; readonly count: number }[] {
  const counts = new Map<string, number>();
  for (const { agent, nonce } of plane.messages()) {
    if (nonce === null || agent === null) continue;
    counts.set(agent, (counts.get(agent) ?? 0) + 1);
  }
  return [...counts].map(([agentId, count]) => ({ agentId, count }));
}
