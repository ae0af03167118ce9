/** The wall clock is set while the server runs (K4). */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { StatusView } from "../../src/control/protocol.ts";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { checkLedger } from "../fixtures/ledger_check.ts";
import { answersAfterMs } from "../fixtures/listening.ts";
import { messageBody } from "../fixtures/demo_message.ts";
import { numbered } from "../fixtures/demo_plane.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { report } from "../fixtures/report.ts";
import { FaketimeProcess, hasFaketime } from "../fixtures/faketime_process.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { trials } from "../fixtures/trials.ts";

const STEPS = ["+8h", "-8h", "-1d", "+10y"];
const ROUNDS = trials(1, 10);
const ACCOUNTS = ["work", "home"];
const FRESH_MS = 30_000;
/** What the provider asks for, and what a hold may take beyond it. */
const RETRY_AFTER_SEC = 2;
const HOLD_MS_MAX = RETRY_AFTER_SEC * 1_000 + 60_000;

interface Stage {
  readonly api: ScriptedApi;
  readonly pool: TcPool;
  readonly baseUrl: string;
}

async function serves({ baseUrl }: Stage, count: number): Promise<void> {
  const statuses = await Promise.all(numbered(count, async (number) => {
    const answer = await fetch(`${baseUrl}/v1/messages`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-claude-code-session-id": `session-${number}`,
        "x-demo-nonce": crypto.randomUUID(),
      },
      body: messageBody({ text: "demo:say ok" }),
    });
    await answer.text();
    return answer.status;
  }));
  deepStrictEqual(statuses, numbered(count, () => 200));
}

async function statusOf({ pool }: Stage): Promise<StatusView> {
  return await pool.json(["status"]) as unknown as StatusView;
}

/** Numbers below zero, by their path. */
function negatives(value: unknown, path = ""): string[] {
  if (typeof value === "number") return value < 0 ? [`${path} ${value}`] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value)
    .flatMap(([key, part]) => negatives(part, `${path}.${key}`));
}

/** Nothing is below zero, and the windows are what was said last. */
async function isSane(stage: Stage): Promise<void> {
  const status = await statusOf(stage);
  deepStrictEqual(negatives({ ...status, accounts: [] }), []);
  deepStrictEqual(status.notices, []);
  for (const { label, windows, lastUsedAt } of status.accounts) {
    // What was said to a clock that was behind looks old once it is right.
    const isFresh = lastUsedAt !== null &&
      status.at.ms - lastUsedAt.ms < FRESH_MS;
    if (isFresh) ok(windows.length > 0, `${label}: windows were dropped`);
    for (const { key, observedAt, source } of windows) {
      const ageMs = status.at.ms - observedAt.ms;
      if (source !== "response_headers") continue;
      ok(ageMs >= 0, `${label} ${key} was said in ${-ageMs} ms`);
      ok(!isFresh || ageMs < FRESH_MS, `${label} ${key} froze ${ageMs} ms ago`);
    }
  }
  const used = status.accounts.filter(({ lastUsedAt }) =>
    lastUsedAt !== null && status.at.ms - lastUsedAt.ms < FRESH_MS
  );
  ok(used.length > 0, "nobody was used");
  for (const { label, recent, conversations } of status.accounts) {
    ok(recent.requests15m <= recent.requests1h, label);
    ok(conversations >= 0, label);
  }
}

async function open(
  api: ScriptedApi,
  clock: FaketimeProcess,
  names: readonly string[],
): Promise<Stage & { readonly server: Deno.ChildProcess }> {
  for (const name of names) {
    api.account(name, { tier: "max_20x" })
      .limits({ concurrency: 1_000, requestsPerMinute: 1_000_000 });
  }
  const pool = await TcPool.of(api, { usage: { poll: false } });
  const server = pool.command(["server", "--headless"], {
    env: clock.variables,
    stdout: "null",
    stderr: "null",
  }).spawn();
  await answersAfterMs(pool.port);
  return { api, pool, server, baseUrl: await pool.baseUrl() };
}

Deno.test({
  name: "a clock that is set there and back brings no storm and loses nothing",
  // Needs libfaketime.
  ignore: !hasFaketime(),
  fn: async () => {
    await using api = await startScriptedApi();
    await using clock = new FaketimeProcess();
    const stage = await open(api, clock, ACCOUNTS);
    await using pool = stage.pool;
    await serves(stage, 6);
    await isSane(stage);
    let most = 0;
    for (let round = 0; round < ROUNDS; round++) {
      for (const step of STEPS) {
        const before = api.families().rotations;
        clock.set(step);
        await serves(stage, 6);
        const wrong = await statusOf(stage);
        deepStrictEqual(negatives({ ...wrong, accounts: [] }), [], step);
        const between = api.families().rotations;
        clock.set("+0");
        await serves(stage, 6);
        await isSane(stage);
        const after = api.families().rotations;
        most = Math.max(most, between - before, after - between);
      }
    }
    ok(most <= ACCOUNTS.length, `${most} refreshes after one step`);
    deepStrictEqual([api.families().reuses, api.families().killed], [0, 0]);
    strictEqual((await pool.tc(["stop"])).code, 0);
    strictEqual((await stage.server.status).code, 0);
    const { rows, output } = checkLedger(pool.paths.stateFolder);
    const { total } = api.truth();
    deepStrictEqual([rows, output], [total.requests, total.reported.output]);
    report(
      `${ROUNDS * STEPS.length} steps there and back: ${rows} requests` +
        ` served, at most ${most} refreshes of ${ACCOUNTS.length} accounts` +
        " after one",
    );
  },
});

Deno.test({
  name: "a clock that is set back makes no hold longer",
  ignore: !hasFaketime(),
  fn: async () => {
    await using api = await startScriptedApi();
    await using clock = new FaketimeProcess();
    const stage = await open(api, clock, ["only"]);
    await using pool = stage.pool;
    await serves(stage, 2);
    for (const step of ["-8h", "-1d"]) {
      api.next("only").throttle({ retryAfterSeconds: RETRY_AFTER_SEC });
      const startedMs = performance.now();
      const held = serves(stage, 1);
      await realClock.sleep(300);
      clock.set(step);
      await serves(stage, 2);
      await held;
      const tookMs = performance.now() - startedMs;
      ok(tookMs < HOLD_MS_MAX, `held for ${tookMs} ms`);
    }
    strictEqual((await pool.tc(["stop"])).code, 0);
    strictEqual((await stage.server.status).code, 0);
    checkLedger(pool.paths.stateFolder);
  },
});
