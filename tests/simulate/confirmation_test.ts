/**
 * What `tc simulate` says of two policies against what the provider counts when
 * each of them is really run: one history, recorded under the worse.
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { pathsFrom } from "../../src/system/paths.ts";
import type { HistoryAnswer } from "../../src/cli/report/simulate_history.ts";
import type { PolicyName } from "../../src/core/settings.ts";
import { databasePath } from "../../src/store/ledger/database.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import type { Standing } from "../../src/simulate/comparison.ts";
import { PoolFolder } from "../fixtures/pool_server.ts";
import type { PlannedWork } from "../fixtures/planned_people.ts";
import {
  type PoolAccount,
  type RecordedRun,
  recordedRun,
  type Truth,
} from "../fixtures/recorded_pool.ts";
import { report } from "../fixtures/report.ts";
import { daysAgo } from "../fixtures/virtual_clock.ts";
import { trials } from "../fixtures/trials.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/**
 * People who come back after nine minutes to caches that live for an hour, on
 * windows half spent that reset one after the other. `pace` leaves an account
 * after five minutes for the one furthest behind, and so writes those caches
 * again and again; `price` stays while they are warm.
 */
const WORK: PlannedWork = {
  seed: "1",
  sessions: 6,
  prompts: 12,
  steps: 3,
  pauseMs: 9 * MINUTE_MS,
  firstTokens: 15_000,
  stepTokens: 800,
  answerTokens: 200,
  answerMs: 15_000,
};

const STANDINGS = [
  { used: 0.5, resetsInMs: 2.4 * HOUR_MS },
  { used: 0.5, resetsInMs: 2.8 * HOUR_MS },
  { used: 0.45, resetsInMs: 4 * HOUR_MS },
] as const;

/**
 * Thirty agents without pauses on windows that are more than half spent: far
 * more work than quota. `price` parks most of them and tells each its turn;
 * `scored` lets all of them in, and each reset is spent on their caches.
 */
const PARKED: PlannedWork = {
  seed: "1",
  sessions: 30,
  prompts: 1,
  steps: 14,
  pauseMs: 2_000,
  firstTokens: 12_000,
  stepTokens: 800,
  answerTokens: 200,
  answerMs: 15_000,
};

const HALF_SPENT: readonly Omit<PoolAccount, "name">[] = [
  { used: 0.6, resetsInMs: 2 * HOUR_MS },
  { used: 0.55, resetsInMs: 3 * HOUR_MS },
  { used: 0.6, resetsInMs: 4 * HOUR_MS },
];

/** A pool on disk with three small plans and nothing recorded yet. */
class HistoryPool implements AsyncDisposable {
  readonly folder = new PoolFolder();
  ids: readonly string[] = [];

  static async open(): Promise<HistoryPool> {
    const pool = new HistoryPool();
    await using api = await startScriptedApi();
    for (const name of ["a", "b", "c"]) api.account(name, { tier: "pro" });
    pool.ids = [...(await pool.folder.fill(api)).keys()];
    const { stateFolder } = pathsFrom(pool.folder.variables, Deno.build.os);
    await Deno.mkdir(stateFolder, { recursive: true, mode: 0o700 });
    return pool;
  }

  /** The work under `policy`, recorded here or not at all. */
  run(
    policy: PolicyName,
    { work, isRecorded, standings = STANDINGS }: {
      readonly work: PlannedWork;
      readonly isRecorded: boolean;
      readonly standings?: readonly Omit<PoolAccount, "name">[];
    },
  ): Promise<Truth> {
    const { stateFolder } = pathsFrom(this.folder.variables, Deno.build.os);
    const run: RecordedRun = {
      policy,
      work,
      startAt: daysAgo(2),
      accounts: standings.map((standing, index) => ({
        name: this.ids[index] ?? "",
        ...standing,
      })),
      databasePath: isRecorded ? databasePath(stateFolder) : null,
    };
    return recordedRun(run);
  }

  /** `tc simulate` on what was recorded, as a person runs it. */
  async simulated(policies: readonly PolicyName[]): Promise<string> {
    const args = ["simulate", "--policy", policies.join(","), "--json"];
    const { code, stdout, stderr } = await this.folder.run(args).output();
    strictEqual(code, 0, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.folder[Symbol.asyncDispose]();
  }
}

function standingOf({ comparison }: HistoryAnswer, policy: string): Standing {
  const found = comparison?.standings.find((each) => each.policy === policy);
  ok(found, `nothing is said of ${policy}`);
  return found;
}

/** The same figures by the provider's count and by the replay's. */
function figures(of: Truth | Standing): Readonly<Record<string, number>> {
  const { refusals, rebuildShare, stalledHours, longWaits } = of;
  return { refusals, rebuildShare, stalledHours, longWaits };
}

function reported(
  answer: HistoryAnswer,
  truths: ReadonlyMap<PolicyName, Truth>,
): string {
  const lines = [...truths].map(([policy, truth]) =>
    [
      policy,
      `really ${JSON.stringify(figures(truth))}`,
      `replayed ${JSON.stringify(figures(standingOf(answer, policy)))}`,
    ].join(" ")
  );
  return [`self-check ${answer.check.error}`, ...lines].join("\n");
}

/** So far apart two figures are a difference; the rest hangs on seconds. */
const CLEAR_SHARE = 0.2;

/**
 * The replay puts no figure the other way round than the provider's counts;
 * what is rebuilt and how long people stall are clearly less in both.
 */
function assertRanked(
  answer: HistoryAnswer,
  truths: ReadonlyMap<PolicyName, Truth>,
): void {
  const words = reported(answer, truths);
  const better = truths.get("price");
  const worse = truths.get("pace");
  ok(better && worse);
  strictEqual(better.requests, worse.requests);
  const really = rankOf(better, worse);
  const replayed = rankOf(
    standingOf(answer, "price"),
    standingOf(answer, "pace"),
  );
  for (const [key, sign] of Object.entries(really)) {
    ok(sign * (replayed[key] ?? 0) >= 0, `${key}: ${words}`);
  }
  for (const rank of [really, replayed]) {
    deepStrictEqual([rank["rebuildShare"], rank["stalledHours"]], [-1, -1]);
  }
}

/** Below zero where `a` is clearly the better one, 0 where neither is. */
function rankOf(
  a: Truth | Standing,
  b: Truth | Standing,
): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(figures(a)).map(([key, one]) => {
      const other = figures(b)[key] ?? 0;
      const isClear = Math.abs(one - other) >
        CLEAR_SHARE * Math.max(one, other);
      return [key, isClear ? Math.sign(one - other) : 0];
    }),
  );
}

Deno.test("tc simulate ranks two policies as the provider's counts do when they are run", async () => {
  await using pool = await HistoryPool.open();
  const work = WORK;
  const worse = await pool.run("pace", { work, isRecorded: true });
  const text = await pool.simulated(["price", "pace"]);
  strictEqual(await pool.simulated(["price", "pace"]), text);
  const answer: HistoryAnswer = JSON.parse(text).history;
  const better = await pool.run("price", { work, isRecorded: false });

  const truths = new Map([["price", better], ["pace", worse]] as const);
  const words = reported(answer, truths);
  ok(answer.check.isGood && answer.check.isWaitingGood, words);
  assertRanked(answer, truths);
  // What nobody has run yet is foretold closely as well.
  const foretold = standingOf(answer, "price");
  ok(Math.abs(foretold.rebuildShare - better.rebuildShare) < 0.15, words);
  ok(Math.abs(foretold.refusals - better.refusals) <= 6, words);
  ok(Math.abs(foretold.stalledHours - better.stalledHours) < 2.5, words);
  if (trials(0, 1) === 1) report(words);
});

Deno.test("work that is parked and comes back by itself is served for half the quota, really and replayed", async () => {
  await using pool = await HistoryPool.open();
  const run = { work: PARKED, standings: HALF_SPENT };
  const worse = await pool.run("scored", { ...run, isRecorded: true });
  const text = await pool.simulated(["price", "scored"]);
  const answer: HistoryAnswer = JSON.parse(text).history;
  const better = await pool.run("price", { ...run, isRecorded: false });

  const { check } = answer;
  const real = JSON.stringify({ better, worse, check });
  strictEqual(better.requests, worse.requests, real);
  ok(better.hours < worse.hours, real);
  ok(better.spentTokens < 0.6 * worse.spentTokens, real);
  assertFarBetter(better, worse, real);
  // Without parking it hangs on seconds who gets what a reset brings, and a
  // replay can go another way; then tc itself concludes nothing.
  if (!check.isGood) return report(`self-check ${check.error}`);
  const words = reported(
    answer,
    new Map([["price", better], ["scored", worse]] as const),
  );
  assertFarBetter(
    standingOf(answer, "price"),
    standingOf(answer, "scored"),
    words,
  );
  if (trials(0, 1) === 1) report(words);
});

/** So far apart are they whichever counts: the provider or the replay. */
function assertFarBetter(
  better: Truth | Standing,
  worse: Truth | Standing,
  words: string,
): void {
  ok(better.rebuildShare < 0.6 * worse.rebuildShare, words);
  ok(better.stalledHours < 0.6 * worse.stalledHours, words);
  ok(better.refusals < 0.2 * worse.refusals, words);
}

Deno.test({
  name: "so it does whoever recorded the history, for other work",
  // Minutes of work: with TC_LONG=1 alone.
  ignore: trials(0, 1) === 0,
  fn: async () => {
    let histories = 0;
    let concluded = 0;
    for (let seed = 2; seed < 5; seed++) {
      for (const recorded of ["pace", "price"] as const) {
        await using pool = await HistoryPool.open();
        const work = { ...WORK, seed: String(seed) };
        await pool.run(recorded, { work, isRecorded: true });
        const text = await pool.simulated(["price", "pace"]);
        const answer: HistoryAnswer = JSON.parse(text).history;
        histories++;
        if (!answer.check.isGood) {
          report(`seed ${seed}, by ${recorded}: ${answer.check.error} off`);
          continue;
        }
        const truths = new Map<PolicyName, Truth>();
        for (const policy of ["price", "pace"] as const) {
          truths.set(
            policy,
            await pool.run(policy, { work, isRecorded: false }),
          );
        }
        report(`seed ${seed}, by ${recorded}: ${reported(answer, truths)}`);
        assertRanked(answer, truths);
        concluded++;
      }
    }
    ok(concluded >= histories * 2 / 3, `${concluded} of ${histories}`);
  },
});
