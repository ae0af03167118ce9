/**
 * `deno task bench`: tc beside the upstream itself, a bare Node proxy, nginx
 * and maxpool. Prints a table and JSON, and writes docs/benchmarks.md. A failed
 * request of tc fails it.
 *
 * - `--quick` takes one short round, and writes no page.
 * - `--only=tc,node` measures only these; `--rounds=9` takes nine rounds.
 * - `--against=<path>` measures another tc as well: an executable, or a checkout.
 * - `--page` writes the page, which only a run without arguments does unasked.
 * - `--stages` gives the processor time of a request, stage by stage.
 */

import {
  jsonLoad,
  streamLoad,
  type StreamReading,
  turnLoad,
  uploadLoad,
} from "./load.ts";
import { cpuUs, load, machine, rssMb, untilQuiet } from "./machine.ts";
import { partTable } from "./part_cost.ts";
import {
  failedText,
  median,
  note,
  page,
  type Readings,
  reportOf,
  table,
} from "./report.ts";
import { measureStages, STAGES } from "./stages.ts";
import { type Target, Targets } from "./targets.ts";

const LOAD =
  "load of the machine before each round and after all, in processors: ";

interface Plan {
  readonly rounds: number;
  /** Load ahead of a measurement, unmeasured. */
  readonly againMs: number;
  readonly jsonMs: number;
  readonly uploadMs: number;
  /** Turns of 0.1 MB; fewer of the longer ones. */
  readonly turns: number;
  /** How long to wait for a quiet machine before a round. */
  readonly quietMs: number;
  readonly sse50: { readonly events: number; readonly gapMs: number };
  readonly sse500: { readonly events: number; readonly gapMs: number };
  /** Null: not measured. */
  readonly sse2000: { readonly events: number; readonly gapMs: number } | null;
}

const FULL: Plan = {
  rounds: 5,
  againMs: 5_000,
  jsonMs: 3_000,
  uploadMs: 1_500,
  turns: 400,
  quietMs: 60_000,
  sse50: { events: 120, gapMs: 20 },
  sse500: { events: 30, gapMs: 100 },
  sse2000: { events: 20, gapMs: 400 },
};

const QUICK: Plan = {
  rounds: 1,
  againMs: 1_000,
  jsonMs: 1_000,
  uploadMs: 1_000,
  turns: 200,
  quietMs: 0,
  sse50: { events: 50, gapMs: 20 },
  sse500: { events: 15, gapMs: 100 },
  sse2000: null,
};

/** Until the code in the path has been compiled for good. */
const WARM_UP_MS = 15_000;
const WARM_UP_TURNS = 60;

/** The first byte of a burst of streams varies: the median of so many counts. */
const BURSTS = 3;

/** As a person's answers are: so many streams of so many events. */
const ANSWERS = { streams: 60, events: 206, gapMs: 15 };

const PAGE = new URL("../../docs/benchmarks.md", import.meta.url);
/** What a person wrote below the figures is kept. */
const OWN_WORDS = "## What the figures mean";

async function measured(
  target: Target,
  plan: Plan,
): Promise<Readonly<Record<string, number>>> {
  // While the others had their turn it rested, and rest costs warmth.
  await jsonLoad(target, 32, plan.againMs);
  const one = await jsonLoad(target, 1, plan.jsonMs);
  const cpuBefore = await cpuUs(target.pid);
  const many = await jsonLoad(target, 32, plan.jsonMs);
  const cpu = await cpuUs(target.pid) - cpuBefore;
  const few: StreamReading[] = [];
  for (let burst = 0; burst < BURSTS; burst++) {
    few.push(
      await streamLoad(target, { streams: 50, ...plan.sse50 }, () => {}),
    );
  }
  let rss = Promise.resolve(NaN);
  const lots = await streamLoad(
    target,
    { streams: 500, ...plan.sse500 },
    () => {
      rss = rssMb(target.pid);
    },
  );
  const eventCost = await answerCost(target);
  const most = plan.sse2000 === null ? null : await streamLoad(target, {
    streams: 2_000,
    isAtOnce: true,
    ...plan.sse2000,
  }, () => {});
  const upload = await uploadLoad(target, plan.uploadMs);
  const turns = [
    await turnCost(target, 100_000, plan.turns),
    await turnCost(target, 700_000, Math.ceil(plan.turns / 4)),
    await turnCost(target, 2_200_000, Math.ceil(plan.turns / 8)),
  ];
  return {
    json1: one.p50Us,
    json32: many.perSec,
    json32p99: many.p99Us / 1_000,
    json32cpu: cpu / (many.perSec * plan.jsonMs / 1_000),
    sse50first: median(few.map(({ firstByteP50Ms }) => firstByteP50Ms)),
    sse50p50: median(few.map(({ delayP50Us }) => delayP50Us)),
    sse50p99: median(few.map(({ delayP99Us }) => delayP99Us)),
    sse500first: lots.firstByteP50Ms,
    sse500p50: lots.delayP50Us,
    sse500p99: lots.delayP99Us,
    sse60cpu: eventCost.cpu,
    sse2000p99: most?.delayP99Us ?? NaN,
    upload: upload.mbPerSec,
    rss500: await rss,
    turn100: turns[0]?.cpu ?? NaN,
    turn700: turns[1]?.cpu ?? NaN,
    turn2200: turns[2]?.cpu ?? NaN,
    failed: [one, many, ...few, lots, eventCost, upload, ...turns]
      .reduce((sum, { failed }) => sum + failed, most?.failed ?? 0),
  };
}

/** Processor time of one event of many streams, their beginnings included, in µs. */
async function answerCost(
  target: Target,
): Promise<{ readonly cpu: number; readonly failed: number }> {
  const before = await cpuUs(target.pid);
  const { failed } = await streamLoad(target, ANSWERS, () => {});
  const events = ANSWERS.streams * ANSWERS.events;
  return { cpu: (await cpuUs(target.pid) - before) / events, failed };
}

/** Lets a proxy do once all that is measured. */
async function warmUp(target: Target): Promise<void> {
  await jsonLoad(target, 8, WARM_UP_MS);
  for (let burst = 0; burst < BURSTS; burst++) await answerCost(target);
  for (const bytes of [100_000, 700_000, 2_200_000]) {
    await turnLoad(target, bytes, WARM_UP_TURNS);
  }
}

/** Processor time of one turn with so much conversation, in µs. */
async function turnCost(
  target: Target,
  bytes: number,
  count: number,
): Promise<{ readonly cpu: number; readonly failed: number }> {
  const before = await cpuUs(target.pid);
  const { failed } = await turnLoad(target, bytes, count);
  return { cpu: (await cpuUs(target.pid) - before) / count, failed };
}

async function say(
  to: { write(bytes: Uint8Array): Promise<number> },
  text: string,
): Promise<void> {
  const bytes = new TextEncoder().encode(`${text}\n`);
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

async function hasWrk(): Promise<boolean> {
  try {
    await new Deno.Command("wrk", {
      args: ["-v"],
      stdout: "null",
      stderr: "null",
    }).output();
    return true;
  } catch {
    return false;
  }
}

async function ownWords(): Promise<string> {
  try {
    const text = await Deno.readTextFile(PAGE);
    const at = text.indexOf(OWN_WORDS);
    return at < 0 ? "" : `\n${text.slice(at)}`;
  } catch {
    return "";
  }
}

function optionOf(args: readonly string[], name: string): string | null {
  return args.find((arg) => arg.startsWith(name))?.slice(name.length) ?? null;
}

async function bench(args: readonly string[]): Promise<void> {
  const isQuick = args.includes("--quick");
  if (!await hasWrk()) {
    await say(Deno.stderr, "wrk is missing: apt-get install wrk");
    Deno.exit(1);
  }
  const usual = isQuick ? QUICK : FULL;
  const rounds = Number(optionOf(args, "--rounds=") ?? usual.rounds);
  const plan = { ...usual, rounds };
  if (args.includes("--stages")) {
    await using stages = await Targets.startStages(STAGES);
    await say(Deno.stdout, await measureStages(stages, plan.rounds));
    await say(Deno.stdout, `\nEach part alone:\n\n${await partTable(2_000)}`);
    return;
  }
  const only = optionOf(args, "--only=")?.split(",");
  await using targets = await Targets.start(optionOf(args, "--against="));
  const list = targets.list.filter(({ name }) => only?.includes(name) ?? true);
  const readings: Readings = new Map();
  const loads: string[] = [];
  for (const target of list) {
    note(readings, target.name, { rssRest: await rssMb(target.pid) });
    await warmUp(target);
  }
  for (let round = 0; round < plan.rounds; round++) {
    await untilQuiet(plan.quietMs);
    loads.push(load());
    for (const target of list) {
      note(readings, target.name, await measured(target, plan));
      await say(Deno.stderr, `round ${round + 1}: ${target.name}`);
    }
  }
  const failed: Record<string, number> = {};
  for (const [name, own] of readings) {
    failed[name] = (own.get("failed") ?? []).reduce((sum, n) => sum + n, 0);
  }
  const report = reportOf(readings, {
    at: new Date().toISOString().slice(0, 16).replace("T", " ") + " UTC",
    machine: await machine(),
    load: `${LOAD}${loads.join(", ")}; ${load()}`,
    command: ["deno task bench", ...args].join(" "),
    rounds: plan.rounds,
    skipped: targets.skipped,
    failed,
  });
  await say(Deno.stdout, `${table(report)}\n\n${JSON.stringify(report)}`);
  if (args.includes("--page") || args.length === 0) {
    await Deno.writeTextFile(PAGE, page(report) + await ownWords());
  }
  if ((failed["tc"] ?? 0) === 0) return;
  await say(Deno.stderr, `requests failed: ${failedText(report)}`);
  Deno.exitCode = 1;
}

if (import.meta.main) await bench(Deno.args);
