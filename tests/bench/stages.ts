/** `deno task bench --stages`: the processor time of a request, stage by stage. */

import { jsonLoad } from "./load.ts";
import { cpuUs, load } from "./machine.ts";
import { median } from "./report.ts";
import type { Target, Targets } from "./targets.ts";

/** Parts of the data plane that run alone; see `stage_server.ts`. */
export const STAGES = ["relay", "door", "request", "pool", "ledger"] as const;
export type Stage = typeof STAGES[number];

/** What each target does besides what the one before it does. */
const ADDED: Readonly<Record<string, string>> = {
  node: "a bare node:http proxy, to compare",
  relay: "HTTP/1.1 on both sides",
  door: "door and routes",
  request:
    "one request's life: peek, decide, credential, verdict, relay, metering",
  pool: "the pool's events and true snapshots",
  ledger: "the ledger's row, and the counts for status and the Deck",
  "tc, quiet": "the server: worker, refresher, feed",
  tc: "the log line",
};

const ROUND_MS = 3_000;
const WARM_UP_MS = 6_000;

/** Measures all stages in turns; returns a table. */
export async function measureStages(
  targets: Targets,
  rounds: number,
): Promise<string> {
  const list = Object.keys(ADDED).flatMap((name) =>
    targets.list.filter((target) => target.name === name)
  );
  for (const target of list) await jsonLoad(target, 32, WARM_UP_MS);
  const readings = new Map<Target, number[]>(list.map((each) => [each, []]));
  const loads: string[] = [];
  let failed = 0;
  for (let round = 0; round < rounds; round++) {
    loads.push(load());
    for (const target of list) {
      const before = await cpuUs(target.pid);
      const { perSec, failed: more } = await jsonLoad(target, 32, ROUND_MS);
      const spent = await cpuUs(target.pid) - before;
      readings.get(target)?.push(spent / (perSec * ROUND_MS / 1_000));
      failed += more;
    }
  }
  return [
    `Processor time of a 2 KB request in µs, 32 connections, medians over ${rounds} rounds in turns;`,
    `load of the machine before each round, in processors: ${
      loads.join(", ")
    }; failed requests: ${failed}`,
    "",
    ...rows(readings),
  ].join("\n");
}

function rows(readings: ReadonlyMap<Target, readonly number[]>): string[] {
  const lines = [
    "| stage | µs | added, µs | what it adds |",
    "| --- | ---: | ---: | --- |",
  ];
  let before: readonly number[] | null = null;
  for (const [{ name }, own] of readings) {
    const added = before === null
      ? "-"
      : median(own.map((value, at) => value - (before?.[at] ?? NaN)))
        .toFixed(0);
    lines.push(
      `| ${name} | ${median(own).toFixed(0)} | ${added} | ${ADDED[name]} |`,
    );
    if (name !== "node") before = own;
  }
  return lines;
}
