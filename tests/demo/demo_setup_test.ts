/** What `tc demo` starts from: accounts, scenarios, fleet files. */

import {
  deepStrictEqual,
  doesNotMatch,
  ok,
  strictEqual,
} from "node:assert/strict";
import { instantFromMs } from "../../src/core/time.ts";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { demoSetup } from "../../src/demo/demo_setup.ts";
import { Dice } from "../../src/demo/dice.ts";
import { demoFleet, writeFleetFiles } from "../../src/demo/fleet.ts";
import {
  DEFAULT_SCENARIO,
  type Scenario,
  scenarioNamed,
  SCENARIOS,
} from "../../src/demo/scenario.ts";
import { simulateSessions } from "../../src/demo/traffic/traffic.ts";
import { WarpClock } from "../../src/demo/warp_clock.ts";
import { askMessage, credentialOf } from "../fixtures/demo_message.ts";

function scenario(name: string): Scenario {
  const found = scenarioNamed(name);
  ok(found !== null);
  return found;
}

Deno.test("demoSetup() gives three accounts of different plans that work", async () => {
  await using api = await startScriptedApi();
  const { accounts } = demoSetup(api, scenario("calm"), 1);
  deepStrictEqual(
    accounts.map((account) => [account.label, account.tier]),
    [["work", "max_20x"], ["home", "max_5x"], ["spare", "pro"]],
  );
  for (const { credential, label } of accounts) {
    ok(credential.kind === "oauth");
    strictEqual(credential.accessToken.reveal(), api.account(label).token());
  }
  doesNotMatch(JSON.stringify(accounts), /sk-ant/);
});

Deno.test("every scenario has a name of its own and can be prepared", async () => {
  strictEqual(
    new Set(SCENARIOS.map(({ name }) => name)).size,
    SCENARIOS.length,
  );
  ok(scenarioNamed(DEFAULT_SCENARIO) !== null);
  strictEqual(scenarioNamed("nothing"), null);
  for (const each of SCENARIOS) {
    await using api = await startScriptedApi();
    const { fleet, traffic } = demoSetup(api, each, 1);
    strictEqual(fleet.length > 0, each.hasFleet);
    strictEqual(traffic.sessions, each.sessions);
    if (each.hasFleet) strictEqual(fleet.length, each.sessions);
  }
});

/** Demo seconds until the account `work` first refuses `scenario`'s traffic. */
async function secondsToRefusal(
  api: ScriptedApi,
  name: string,
): Promise<number> {
  const { traffic } = demoSetup(api, scenario(name), 1);
  const startedMs = api.clock.monotonicMs();
  const running = simulateSessions({
    ...traffic,
    baseUrl: api.url,
    headers: Object.entries(credentialOf(api.account("work"))),
    clock: api.clock,
  });
  while (!api.log().includes("work 429")) {
    await new Promise((wake) => setTimeout(wake, 5));
  }
  const tookMs = api.clock.monotonicMs() - startedMs;
  await running.stop();
  await api.idle();
  return tookMs / 1_000;
}

Deno.test("a failover is there to be seen within the first half minute", async () => {
  for (const name of ["failover", "fleet"]) {
    const clock = new WarpClock({ scale: 20 });
    await using api = await startScriptedApi({ clock });
    const seconds = await secondsToRefusal(api, name);
    ok(seconds <= 30, `${name} took ${seconds} s`);
    strictEqual((await askMessage(api, api.account("home"))).status, 200);
  }
});

Deno.test("in all-spent nothing is left, then one account after the other", async () => {
  const clock = new WarpClock({ scale: 0 });
  await using api = await startScriptedApi({ clock });
  demoSetup(api, scenario("all-spent"), 1);
  api.set({ tokensPerSecond: null });
  const names = ["work", "home", "spare"];
  async function statuses(): Promise<readonly number[]> {
    const answers = names.map((name) => askMessage(api, api.account(name)));
    return (await Promise.all(answers)).map(({ status }) => status);
  }
  deepStrictEqual(await statuses(), [429, 429, 429]);
  clock.advance(45_000);
  deepStrictEqual(await statuses(), [200, 429, 429]);
  clock.advance(60_000);
  deepStrictEqual(await statuses(), [200, 200, 200]);
});

Deno.test("demoFleet() has trees of three levels, a collision and a soloist", () => {
  const fleet = demoFleet(new Dice("fleet"));
  const issues = fleet.flatMap(({ issue }) => issue ?? []);
  const ids = new Set(issues.map((issue) => issue.issueId));
  ok(issues.every(({ parentId }) => parentId === null || ids.has(parentId)));
  function depth(id: string | null): number {
    const issue = issues.find((each) => each.issueId === id);
    return issue === undefined ? 0 : 1 + depth(issue.parentId);
  }
  strictEqual(Math.max(...issues.map((issue) => depth(issue.issueId))), 3);
  ok(ids.size < issues.length);
  ok(fleet.some(({ issue }) => issue === null));
  ok(issues.some((issue) => issue.assigneeUserId !== null));
});

Deno.test("writeFleetFiles() writes what Claude Code's folder would hold", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const now = instantFromMs(Date.UTC(2026, 5, 1));
    const fleet = demoFleet(new Dice("fleet"));
    await writeFleetFiles(folder, fleet, now);
    await writeFleetFiles(folder, fleet, now);
    const json = async (path: string) =>
      JSON.parse(await Deno.readTextFile(`${folder}/${path}`));
    const { sessions } = await json("state/sessions.json");
    strictEqual(sessions.length, fleet.length);
    const [lead] = fleet;
    ok(lead !== undefined);
    strictEqual(sessions[0].sid, `cc-${lead.sessionId}`);
    strictEqual(sessions[0].pinned_issue, "D-100");
    const pin = await json(`state/sessions/cc-${fleet[1]?.sessionId}/pin.json`);
    strictEqual(pin.identifier, "D-110");
    strictEqual(pin.parentId, lead.issue?.issueId);
    const mark = await Deno.readTextFile(
      `${folder}/state/sessions/cc-${fleet[1]?.sessionId}/tool-inflight`,
    );
    strictEqual(Number(mark.split(" ")[0]), now / 1_000);
    const transcript = await Deno.readTextFile(
      `${folder}/projects/-demo-project/${lead.sessionId}.jsonl`,
    );
    const lines = transcript.trim().split("\n").map((line) => JSON.parse(line));
    deepStrictEqual(lines.map(({ type }) => type), ["user", "assistant"]);
    strictEqual(Date.parse(lines[1].timestamp), now - 20_000);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
