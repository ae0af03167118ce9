/**
 * `deno task bench`: tc beside the upstream itself, a bare Node proxy, nginx
 * and maxpool. Prints a table and JSON, and writes docs/benchmarks.md.
 */

import { jsonLoad, streamLoad, uploadLoad } from "./load.ts";
import { note, page, type Readings, reportOf, table } from "./report.ts";
import { type Target, Targets } from "./targets.ts";

const LOAD = "load of the machine before and after, in processors: ";

interface Plan {
  readonly rounds: number;
  /** Load ahead of a measurement, unmeasured. */
  readonly againMs: number;
  readonly jsonMs: number;
  readonly uploadMs: number;
  readonly sse50: { readonly events: number; readonly gapMs: number };
  readonly sse500: { readonly events: number; readonly gapMs: number };
}

const FULL: Plan = {
  rounds: 3,
  againMs: 5_000,
  jsonMs: 3_000,
  uploadMs: 1_500,
  sse50: { events: 120, gapMs: 20 },
  sse500: { events: 30, gapMs: 100 },
};

const QUICK: Plan = {
  rounds: 1,
  againMs: 1_000,
  jsonMs: 1_000,
  uploadMs: 1_000,
  sse50: { events: 50, gapMs: 20 },
  sse500: { events: 15, gapMs: 100 },
};

/** Until the code in the path has been compiled for good. */
const WARM_UP_MS = 15_000;

const PAGE = new URL("../../docs/benchmarks.md", import.meta.url);
/** What a person wrote below the figures is kept. */
const OWN_WORDS = "## What the figures mean";

/** Resident memory of a process, in MB. */
async function rssMb(pid: number | null): Promise<number> {
  if (pid === null) return NaN;
  const { stdout } = await new Deno.Command("ps", {
    args: ["-o", "rss=", "-p", `${pid}`],
  }).output();
  return Number(new TextDecoder().decode(stdout).trim()) / 1024;
}

const TICK_US = 10_000;

/** Processor time that a process has used so far; NaN where nobody tells. */
async function cpuUs(pid: number | null): Promise<number> {
  if (pid === null || Deno.build.os !== "linux") return NaN;
  const text = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(") ") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

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
  const few = await streamLoad(
    target,
    { streams: 50, ...plan.sse50 },
    () => {},
  );
  let rss = Promise.resolve(NaN);
  const lots = await streamLoad(
    target,
    { streams: 500, ...plan.sse500 },
    () => {
      rss = rssMb(target.pid);
    },
  );
  const upload = await uploadLoad(target, plan.uploadMs);
  return {
    json1: one.p50Us,
    json32: many.perSec,
    json32p99: many.p99Us / 1_000,
    json32cpu: cpu / (many.perSec * plan.jsonMs / 1_000),
    sse50first: few.firstByteP50Ms,
    sse50p50: few.delayP50Us,
    sse50p99: few.delayP99Us,
    sse500first: lots.firstByteP50Ms,
    sse500p50: lots.delayP50Us,
    sse500p99: lots.delayP99Us,
    upload: upload.mbPerSec,
    rss500: await rss,
    failed: one.failed + many.failed + few.failed + lots.failed + upload.failed,
  };
}

async function say(
  to: { write(bytes: Uint8Array): Promise<number> },
  text: string,
): Promise<void> {
  const bytes = new TextEncoder().encode(`${text}\n`);
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

function load(): string {
  return (Deno.loadavg()[0] ?? NaN).toFixed(1);
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

async function machine(): Promise<string> {
  const cores = `${navigator.hardwareConcurrency} cores`;
  try {
    const text = await Deno.readTextFile("/proc/cpuinfo");
    const model = /^model name\s*: (.*)$/m.exec(text)?.[1] ?? Deno.build.arch;
    return `${model}, ${cores}, ${Deno.build.os}, Deno ${Deno.version.deno}`;
  } catch {
    return `${Deno.build.arch}, ${cores}, ${Deno.build.os}, Deno ${Deno.version.deno}`;
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

async function bench(args: readonly string[]): Promise<void> {
  const isQuick = args.includes("--quick");
  if (!await hasWrk()) {
    await say(Deno.stderr, "wrk is missing: apt-get install wrk");
    Deno.exit(1);
  }
  const only = args.find((arg) => arg.startsWith("--only="))?.slice(7)
    .split(",");
  const plan = isQuick ? QUICK : FULL;
  await using targets = await Targets.start();
  const list = targets.list.filter(({ name }) => only?.includes(name) ?? true);
  const readings: Readings = new Map();
  const loadBefore = load();
  for (const target of list) {
    note(readings, target.name, { rssRest: await rssMb(target.pid) });
    await jsonLoad(target, 8, WARM_UP_MS);
  }
  for (let round = 0; round < plan.rounds; round++) {
    for (const target of list) {
      note(readings, target.name, await measured(target, plan));
      await say(Deno.stderr, `round ${round + 1}: ${target.name}`);
    }
  }
  const failed = [...readings.values()].flatMap((own) =>
    own.get("failed") ?? []
  )
    .reduce((sum, count) => sum + count, 0);
  const report = reportOf(readings, {
    at: new Date().toISOString().slice(0, 16).replace("T", " ") + " UTC",
    machine: await machine(),
    load: `${LOAD}${loadBefore} and ${load()}`,
    command: ["deno task bench", ...args].join(" "),
    rounds: plan.rounds,
    skipped: targets.skipped,
    failed,
  });
  await say(Deno.stdout, `${table(report)}\n\n${JSON.stringify(report)}`);
  if (isQuick || only !== undefined) return;
  await Deno.writeTextFile(PAGE, page(report) + await ownWords());
}

if (import.meta.main) await bench(Deno.args);
