/** Simulated sessions: real enough, bounded, the same for the same seed. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { askOnce } from "../../src/demo/demo_setup.ts";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { Dice } from "../../src/demo/dice.ts";
import { objectOf } from "../../src/demo/json.ts";
import {
  simulateSessions,
  type TrafficOptions,
} from "../../src/demo/traffic/traffic.ts";
import type { TrafficReport } from "../../src/demo/traffic/traffic_session.ts";
import { WarpClock } from "../../src/demo/warp_clock.ts";
import { credentialOf } from "../fixtures/demo_message.ts";
import { trials } from "../fixtures/trials.ts";

const ALL_FAULTS = {
  throttled: 0.03,
  burst: 0.02,
  overloaded: 0.03,
  server_error: 0.02,
  expired: 0.02,
  late: 0.02,
  error_event: 0.03,
  truncated: 0.03,
  cut: 0.03,
};

function traffic(api: ScriptedApi, more: Partial<TrafficOptions> = {}) {
  const work = api.account("work", { tier: "max_20x" });
  work.limits({ concurrency: 1_000, requestsPerMinute: 1_000_000 });
  return simulateSessions({
    baseUrl: api.url,
    headers: Object.entries(credentialOf(work)),
    clock: api.clock,
    seed: "traffic",
    pace: "instant",
    sessions: 4,
    promptsMax: 5,
    prefixTokens: 1_500,
    ...more,
  });
}

async function run(
  api: ScriptedApi,
  more: Partial<TrafficOptions> = {},
): Promise<TrafficReport> {
  const report = await traffic(api, more).done;
  await api.idle();
  return report;
}

Deno.test("simulateSessions() sends what Claude Code sends, under our own name", async () => {
  await using api = await startScriptedApi();
  const report = await run(api, { subagentChance: 0.5 });
  strictEqual(report.prompts, 20);
  ok(report.subagents > 0 && report.toolCalls > report.subagents);
  strictEqual(report.complete, report.requests);
  const seen = api.requests();
  strictEqual(new Set(seen.map((each) => each.session)).size, 4);
  const agents = seen.filter((each) => each.agent !== null);
  strictEqual(new Set(agents.map((each) => each.agent)).size, report.subagents);
  for (const { headers, target } of seen) {
    strictEqual(target, "/v1/messages?beta=true");
    const names = Object.fromEntries(headers);
    strictEqual(names["user-agent"], "tc-demo/1");
    strictEqual(names["anthropic-version"], "2023-06-01");
  }
  const cached = report.usage.cacheRead /
    (report.usage.cacheRead + report.usage.cacheWrite1h);
  ok(cached > 0.8, `cache reads are ${cached} of the prefix`);
});

Deno.test("the same seed sends the same bodies, faults included", async () => {
  const runs: unknown[] = [];
  for (let count = 0; count < 2; count++) {
    await using api = await startScriptedApi();
    api.faults({ seed: "faults", rate: ALL_FAULTS });
    const { byStatus, requests, usage } = await run(api);
    runs.push([
      byStatus,
      requests,
      usage.output,
      Object.fromEntries(
        [...api.acceptedPerBody()].toSorted(),
      ),
    ]);
  }
  deepStrictEqual(runs[0], runs[1]);
});

Deno.test("other seeds draw other faults, at about the rate that is set", async () => {
  await using api = await startScriptedApi();
  api.faults({ seed: "other", rate: { overloaded: 0.2 } });
  const { byStatus, requests } = await run(api, {
    promptsMax: Infinity,
    requestsMax: 600,
  });
  const rate = (byStatus[529] ?? 0) / requests;
  ok(rate > 0.14 && rate < 0.26, `${rate} of the requests were overloaded`);
});

Deno.test("true sums, reported sums and what clients read agree under faults", async () => {
  await using api = await startScriptedApi({ requestsMax: 100 });
  api.faults({ seed: "faults", rate: ALL_FAULTS });
  const requestsMax = trials(500, 20_000);
  const report = await run(api, {
    promptsMax: Infinity,
    requestsMax,
    sessions: 20,
    leaveChance: 0.02,
    compactionTokens: 15_000,
  });
  strictEqual(report.requests, requestsMax);
  ok(report.broken > 0 && report.errorEvents > 0 && report.left > 0);
  const truth = api.truth();
  strictEqual(truth.total.requests, report.byStatus[200]);
  deepStrictEqual(truth.byAccount["work"], truth.total);
  for (const [session, usage] of Object.entries(report.bySession)) {
    const { input, cacheRead, cacheWrite1h } = usage;
    const reported = truth.bySession[session]?.reported;
    deepStrictEqual(
      [input, cacheRead, cacheWrite1h],
      [reported?.input, reported?.cacheRead, reported?.cacheWrite1h],
    );
  }
  // A client that leaves misses the last count; nobody reads more than was said.
  ok(truth.total.usage.output >= truth.total.reported.output);
  ok(truth.total.reported.output >= report.usage.output);
  ok([...api.acceptedPerNonce().values()].every((count) => count === 1));
  strictEqual(api.running, 0);
});

Deno.test("long conversations are compacted and go on with the summary", async () => {
  await using api = await startScriptedApi();
  const { compactions } = await run(api, {
    sessions: 1,
    promptsMax: 8,
    compactionTokens: 3_000,
    subagentChance: 0,
  });
  ok(compactions > 0);
});

Deno.test("a spent account is waited for as the real client does", async () => {
  const clock = new WarpClock({ scale: 50 });
  await using api = await startScriptedApi({ clock });
  api.account("work", { tier: "max_20x" }).windows({ "5h": 1 })
    .resetIn("5h", 30_000);
  const startedMs = clock.monotonicMs();
  const report = await run(api, {
    sessions: 1,
    promptsMax: 1,
    pace: "fleet",
    toolsMax: 0,
  });
  ok((report.byStatus[429] ?? 0) >= 1);
  strictEqual(report.complete, 1);
  ok(clock.monotonicMs() - startedMs >= 29_000);
});

Deno.test("stop() ends traffic that would go on for ever", async () => {
  await using api = await startScriptedApi({ tokensPerSecond: 20 });
  const endless = traffic(api, { promptsMax: Infinity, pace: "human" });
  while (api.running === 0) await new Promise((wake) => setTimeout(wake, 5));
  const { requests } = await endless.stop();
  ok(requests > 0);
  await api.idle();
  strictEqual(api.clock.sleeperCount, 0);
  strictEqual(endless.report().requests, requests);
});

Deno.test("an address where nobody listens is counted, not thrown", async () => {
  const clock = new WarpClock();
  const { done } = simulateSessions({
    baseUrl: "http://127.0.0.1:9",
    clock,
    seed: 1,
    pace: "instant",
    sessions: 1,
    promptsMax: 1,
    retriesMax: 2,
  });
  const report = await done;
  deepStrictEqual([report.unreachable, report.retries, report.givenUp], [
    3,
    2,
    1,
  ]);
});

Deno.test("askOnce() hands the text over as it arrives", async () => {
  await using api = await startScriptedApi();
  const pieces: string[] = [];
  const question = {
    baseUrl: api.url,
    headers: Object.entries(credentialOf(api.account("work"))),
    text: "demo:say one two three four five six seven eight nine ten",
    entropy: new Dice("once"),
    signal: new AbortController().signal,
    onText: (text: string) => {
      pieces.push(text);
    },
  };
  const answer = await askOnce(question);
  strictEqual(answer.ending, "complete");
  ok(pieces.length > 1);
  strictEqual(
    pieces.join(""),
    "one two three four five six seven eight nine ten",
  );
  strictEqual(objectOf(answer.content[0])?.["text"], pieces.join(""));
  ok(answer.requestId?.startsWith("req_"));
  api.next().overload();
  const refused = await askOnce(question);
  deepStrictEqual(
    [refused.status, refused.ending, refused.errorMessage],
    [529, "refused", "Overloaded"],
  );
});
