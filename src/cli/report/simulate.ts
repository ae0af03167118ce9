/**
 * `tc simulate`: compares the routing policies on the same work, without using
 * an account.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { POLICY_NAMES, type PolicyName } from "../../core/settings.ts";
import { EXIT, UsageError } from "../../errors.ts";
import {
  compare,
  type CompareOptions,
  type Comparison,
  type Standing,
} from "../../simulate/comparison.ts";
import { DEFAULT_LINKS, type MachineLinks } from "../../simulate/machines.ts";
import { SCENARIOS } from "../../simulate/workload/scenarios.ts";
import type { Workload } from "../../simulate/workload/workload.ts";
import type { Output } from "../output.ts";
import { policyNamed } from "../accounts/policy_option.ts";
import {
  type HistoryAnswer,
  type HistoryQuery,
  isEnough,
  recordedHistory,
  simulateHistory,
} from "./simulate_history.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { type Column, tableLines } from "../table.ts";
import { countText, percentText } from "../../control/words.ts";

const SEEDS_MAX = 100;
const MACHINES_MAX = 256;
const DELAY_MS_MAX = 600_000;
/** A shorter run prints no progress. */
const QUIET_MS = 3_000;

const TEXT: CommandText = {
  name: "simulate",
  group: "look",
  summary: "Replay your own history, or synthetic work, under other policies",
  examples: [
    "tc simulate",
    "tc simulate --accounts +5x",
    "tc simulate --workload heavy --seeds 1-4",
    "tc simulate --policy price,pace --json",
    "tc simulate --workload fleet --policy price --machines 4",
  ],
  schema: "tc.simulate/v1",
};

export function registerSimulate(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("--workloads", "Play the built-in workloads, not your history")
    .option("--workload <names>", "Only these workloads, separated by commas")
    .option("--policy <names>", "Only these policies, separated by commas")
    .option("--seeds <list>", "Random seeds: 1,2 or 1-8", "1")
    .option("--days <count>", "Days of history to replay", "14")
    .option("--accounts <list>", "Add or remove accounts: +5x,-work")
    .option("--ttl <life>", "Assume this cache lifetime: 5m or 1h")
    .option("--machines <count>", "Machines that share the pool: 1 to 256", "1")
    .option(
      "--heartbeat <ms>",
      "Time between two words of a machine about its requests",
      String(DEFAULT_LINKS.heartbeatMs),
    )
    .option(
      "--notify <ms>",
      "Time until the others know a refusal",
      String(DEFAULT_LINKS.notifyMs),
    )
    .option("--own", "Only your own history, however little there is")
    .option("--json", "Print one JSON object")
    .action(registry.run(async (options) => {
      const shell = new Shell(registry, options);
      const { output } = shell;
      const seeds = seedsFrom(options.seeds);
      const policies = policiesFrom(options.policy);
      const isBuiltIn = options.workloads || options.workload !== undefined;
      const query = historyQuery(options, policies);
      const rows = isBuiltIn ? [] : await recordedHistory(shell, query.days);
      const answer = isEnough(rows)
        ? await simulateHistory(shell, rows, {
          ...query,
          onPlay: progressOn(output),
        })
        : null;
      if (answer !== null) {
        if (output.isJson) {
          output.json({ schema: "tc.simulate/v1", history: answer });
        } else printHistory(answer, output);
        return EXIT.ok;
      }
      if (options.own) {
        if (output.isJson) {
          output.json({ schema: "tc.simulate/v1", history: null });
        } else output.line("Too little history yet");
        return EXIT.ok;
      }
      const workloads = workloadsFrom(options.workload);
      if (!isBuiltIn) sayInstead(output, isEnough(rows), workloads.length);
      playBuiltIn(output, workloads, {
        seeds,
        policies,
        machines: machinesFrom(options),
        onPlay: progressOn(output),
      });
      return EXIT.ok;
    }));
}

/**
 * Says that what follows is not the person's own work. In the data itself, so
 * that nobody who keeps the tables takes them for a replay of a history.
 */
function sayInstead(
  output: Output,
  hasHistory: boolean,
  workloads: number,
): void {
  const why = hasHistory
    ? "no account to replay your history on yet (tc login)"
    : "too little history yet";
  const text = `Not your own work: ${why}. These are ` +
    `${workloads} built-in workloads of invented sessions.`;
  if (output.isJson) return output.say(text);
  output.sentence(text, 0);
  output.line();
  output.say("tc simulate --workload solo   plays one of them");
}

/** Plays the built-in workloads and prints each comparison when it is done. */
function playBuiltIn(
  output: Output,
  draws: readonly ((seed: number) => Workload)[],
  options: CompareOptions,
): void {
  const comparisons: Comparison[] = [];
  for (const [at, draw] of draws.entries()) {
    const comparison = compare(draw, {
      ...options,
      onPlay: (words, done, of) =>
        options.onPlay?.(words, at * of + done, draws.length * of),
    });
    comparisons.push(comparison);
    if (!output.isJson) print(comparison, output);
  }
  if (output.isJson) {
    output.json({ schema: "tc.simulate/v1", comparisons });
    return;
  }
  const { count = 1 } = options.machines ?? {};
  if (count > 1) output.say(`Played by ${count} machines that share the pool.`);
  output.say(
    "score: useful work, of what is possible; stalled: hours that people waited",
  );
}

/** Returns the machines that the options ask for. Throws UsageError. */
function machinesFrom(
  { machines, heartbeat, notify }: {
    readonly machines: string;
    readonly heartbeat: string;
    readonly notify: string;
  },
): Partial<MachineLinks> {
  return {
    count: numberIn("--machines", machines, 1, MACHINES_MAX),
    heartbeatMs: numberIn("--heartbeat", heartbeat, 100, DELAY_MS_MAX),
    notifyMs: numberIn("--notify", notify, 0, DELAY_MS_MAX),
  };
}

function numberIn(
  option: string,
  text: string,
  least: number,
  most: number,
): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(
    `Cannot use ${option} ${text}: it must be a whole number from ${least} to ${most}`,
  );
}

/**
 * Returns a function that prints progress on stderr, once the run takes long.
 */
function progressOn(
  output: Output,
): (words: string, done: number, of: number) => void {
  const startedMs = performance.now();
  return (words, done, of) => {
    const tookMs = performance.now() - startedMs;
    if (done === 0 || tookMs < QUIET_MS) return;
    const leftSec = Math.ceil(tookMs / done * (of - done) / 1_000);
    output.say(`${done} of ${of} played, about ${leftSec} s to go: ${words}`);
  };
}

function historyQuery(
  options: {
    readonly days: string;
    readonly accounts?: string | undefined;
    readonly ttl?: string | undefined;
  },
  policies: readonly PolicyName[],
): HistoryQuery {
  const { days, accounts, ttl } = options;
  if (!/^[1-9]\d{0,3}$/.test(days)) {
    throw new UsageError(`Cannot replay ${days} days: it must be a number`);
  }
  const lives: Readonly<Record<string, number>> = {
    "5m": 300_000,
    "1h": 3_600_000,
  };
  const cacheTtlMs = ttl === undefined ? null : lives[ttl];
  if (cacheTtlMs === undefined) {
    throw new UsageError(`Cannot use --ttl ${ttl}: it must be 5m or 1h`);
  }
  return {
    days: Number(days),
    policies,
    accounts: accounts === undefined ? [] : listed(accounts),
    cacheTtlMs,
  };
}

function printHistory(answer: HistoryAnswer, output: Output): void {
  for (const line of historyLines(answer)) output.line(line);
  if (answer.comparison !== null) print(answer.comparison, output);
  const sentence = changeSentence(answer);
  if (sentence !== null) output.line(sentence);
}

function listed(text: string): string[] {
  return text.split(",").map((part) => part.trim()).filter((p) => p !== "");
}

function workloadsFrom(
  text: string | undefined,
): readonly (typeof SCENARIOS[string])[] {
  if (text === undefined) return Object.values(SCENARIOS);
  return listed(text).map((name) => {
    const draw = Object.hasOwn(SCENARIOS, name) ? SCENARIOS[name] : undefined;
    if (draw !== undefined) return draw;
    throw new UsageError(
      `Cannot simulate ${name}: there is no such workload`,
      `Workloads: ${Object.keys(SCENARIOS).join(", ")}`,
    );
  });
}

function policiesFrom(text: string | undefined): readonly PolicyName[] {
  if (text === undefined) return POLICY_NAMES;
  return listed(text).map(policyNamed);
}

/** Returns the seeds of `2`, `1,3,5` or `1-8`. */
function seedsFrom(text: string): readonly number[] {
  const seeds = listed(text).flatMap((part) => {
    const match = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part);
    if (match === null) {
      throw new UsageError(
        `Cannot use --seeds ${text}: it must be like 2, 1,3 or 1-8`,
      );
    }
    const first = Number(match[1]);
    const last = Number(match[2] ?? first);
    const length = Math.max(0, Math.min(SEEDS_MAX, last - first + 1));
    return Array.from({ length }, (_, index) => first + index);
  });
  if (seeds.length > 0) return seeds;
  throw new UsageError(`Cannot use --seeds ${text}: it names no seed`);
}

function print(comparison: Comparison, output: Output): void {
  const { workload, demandTokens, boundShare, seeds, standings } = comparison;
  const work = `${(demandTokens / 1_000_000).toFixed(0)}M quota tokens`;
  const most = `${(boundShare * 100).toFixed(0)}%`;
  const drawn = seeds.length === 1
    ? `seed ${seeds[0]}`
    : `${seeds.length} seeds`;
  output.line(`${workload} · ${work} · at most ${most} · ${drawn}`);
  const isPaid = standings.some(({ dollars }) => dollars > 0);
  const columns = isPaid ? [...COLUMNS, PAID] : COLUMNS;
  const table = tableLines(standings, columns, output.width);
  output.line(table.head);
  for (const row of table.rows) output.line(row);
  output.line();
}

/** The columns of a comparison; the least important go first. */
const COLUMNS: readonly Column<Standing>[] = [
  { title: "  policy", of: ({ policy }) => `  ${policy}` },
  { title: "score", isNumber: true, of: ({ score }) => score.toFixed(3) },
  {
    title: "429s",
    isNumber: true,
    of: ({ refusals }) => refusals.toFixed(0),
  },
  {
    title: "rebuild",
    isNumber: true,
    drop: 1,
    of: ({ rebuildShare }) => `${(rebuildShare * 100).toFixed(1)}%`,
  },
  {
    title: "stalled",
    isNumber: true,
    drop: 2,
    of: ({ stalledHours }) => `${stalledHours.toFixed(0)}h`,
  },
  {
    title: ">60s",
    isNumber: true,
    drop: 3,
    of: ({ longWaits }) => longWaits.toFixed(0),
  },
];

/** What paid keys cost; only where there are any. */
const PAID: Column<Standing> = {
  title: "paid",
  isNumber: true,
  drop: 1,
  of: ({ dollars }) => `$${dollars.toFixed(0)}`,
};

/** Returns what was replayed, and whether the replay matches the history. */
function historyLines(answer: HistoryAnswer): readonly string[] {
  const { requests, outside, days, check } = answer;
  const lines = [
    `${requests} requests of the last ${days} days, replayed under ${check.policy} as they ran:`,
    ...(outside === 0 ? [] : [
      `  ${outside} of them before tc or not through tc (by Claude Code's transcripts, account unknown)`,
    ]),
    `  recorded ${countText(check.recordedTokens)} quota tokens, predicted ${
      countText(check.predictedTokens)
    }: ${percentText(check.error)} off`,
    ...check.accounts.map(({ name, recordedTokens, predictedTokens }) =>
      `  ${name.padEnd(12)} recorded ${
        countText(recordedTokens).padStart(6)
      }  predicted ${countText(predictedTokens).padStart(6)}`
    ),
  ];
  lines.push(
    `  waiting: recorded ${
      check.recordedStalledHours.toFixed(1)
    } h, predicted ${check.predictedStalledHours.toFixed(1)} h`,
  );
  if (check.isGood) return [...lines, ""];
  return [
    ...lines,
    "The replay does not match your real history, so no conclusion is drawn.",
    "  tc simulate --workloads   compares the policies on the built-in work",
  ];
}

/** Returns `+5x would have saved 11 h of waiting`, or null. */
function changeSentence(
  { change, check }: HistoryAnswer,
): string | null {
  if (change === null) return null;
  if (!check.isWaitingGood) {
    return "The replay's waiting does not match yours, so no saved hours are given.";
  }
  const { accounts, stalledHoursBefore, stalledHoursAfter } = change;
  const saved = stalledHoursBefore - stalledHoursAfter;
  const hours = Math.abs(saved).toFixed(1);
  const words = saved >= 0.05
    ? `would have saved ${hours} h of waiting`
    : saved <= -0.05
    ? `would have cost ${hours} h more of waiting`
    : "would have changed nothing in the waiting";
  return `${accounts.join(" ")} ${words} (${
    stalledHoursBefore.toFixed(1)
  } h before, ${
    stalledHoursAfter.toFixed(1)
  } h after). What you would have done with less waiting is not known.`;
}
