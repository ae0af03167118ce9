/**
 * What a person's day costs: forty sessions whose conversations grow from 2 to
 * 400 KB and begin again, 24 requests a second, answers of 44 events.
 *
 *   deno run -A tests/bench/day_bench.ts --minutes=60
 *       tc alone, with a line every five minutes
 *   deno run -A tests/bench/day_bench.ts --minutes=10 --turns=tc,node,watched
 *       by turns of thirty seconds: tc, a bare Node proxy, and tc with a viewer
 *
 * Prints processor time a request, requests, failures and memory of the proxy.
 */

import { parseArgs } from "node:util";
import { conversationBody } from "./conversation.ts";
import { streamOnce } from "./load.ts";
import { cpuUs, load, rssMb } from "./machine.ts";
import { type Target, Targets } from "./targets.ts";

const SESSIONS = 40;
const PER_SECOND = 24;
const EVENTS = 44;
const GAP_MS = 10;
/** A conversation grows by this much with each turn. */
const STEP_BYTES = 8_000;
const BYTES_MAX = 400_000;
const LINE_SEC = 300;
const TURN_SEC = 30;

type Turn = "tc" | "node" | "watched";

interface Slot {
  readonly turn: Turn;
  readonly seconds: number;
}

/** What a slot came to. */
interface Reading {
  readonly turn: Turn;
  readonly requests: number;
  readonly failed: number;
  readonly cpuUs: number;
  readonly seconds: number;
  readonly rssMb: number;
}

const { values } = parseArgs({
  args: Deno.args,
  options: {
    minutes: { type: "string", default: "10" },
    turns: { type: "string", default: "tc" },
  },
});
const turns = values.turns.split(",") as Turn[];
const slots = slotsOf(turns, Number(values.minutes) * 60);
const bodies = Array.from(
  { length: BYTES_MAX / STEP_BYTES },
  (_, at) => conversationBody(2_000 + at * STEP_BYTES),
);

await using targets = await Targets.start(null);
const readings: Reading[] = [];
await run({ turn: turns[0] ?? "tc", seconds: 20 });
for (const slot of slots) {
  const reading = await run(slot);
  readings.push(reading);
  say(lineOf(reading));
}
for (const turn of turns) say(sumOf(turn));

function slotsOf(turns: readonly Turn[], seconds: number): readonly Slot[] {
  const each = turns.length === 1 ? LINE_SEC : TURN_SEC;
  return Array.from(
    { length: Math.max(1, Math.round(seconds / each)) },
    (_, at) => ({ turn: turns[at % turns.length] ?? "tc", seconds: each }),
  );
}

/** Runs all sessions for one slot. */
async function run({ turn, seconds }: Slot): Promise<Reading> {
  const target = targetOf(turn);
  const stop = new AbortController();
  const viewer = turn === "watched" ? watch(target, stop.signal) : null;
  const endMs = performance.now() + seconds * 1_000;
  const before = await cpuUs(target.pid);
  const counts = { requests: 0, failed: 0 };
  await Promise.all(
    Array.from(
      { length: SESSIONS },
      (_, session) => lane(target, session, endMs, counts),
    ),
  );
  const used = await cpuUs(target.pid) - before;
  stop.abort();
  await viewer;
  return {
    turn,
    ...counts,
    cpuUs: used,
    seconds,
    rssMb: await rssMb(target.pid),
  };
}

function targetOf(turn: Turn): Target {
  const name = turn === "node" ? "node" : "tc";
  const target = targets.list.find((each) => each.name === name);
  if (target === undefined) throw new Error(`${name} is not there`);
  return target;
}

/** One session: a turn, a pause, the next one with a longer body. */
async function lane(
  target: Target,
  session: number,
  endMs: number,
  counts: { requests: number; failed: number },
): Promise<void> {
  const pauseMs = SESSIONS / PER_SECOND * 1_000;
  let at = session * 7;
  let nextMs = performance.now() + session / SESSIONS * pauseMs;
  while (nextMs < endMs) {
    await new Promise((wake) =>
      setTimeout(wake, Math.max(0, nextMs - performance.now()))
    );
    nextMs += pauseMs;
    const body = bodies[at++ % bodies.length];
    const isWhole = await streamOnce(target, session, {
      body,
      events: EVENTS,
      gapMs: GAP_MS,
    });
    counts.requests++;
    if (!isWhole) counts.failed++;
  }
}

/** Reads what a viewer reads, and throws it away. */
async function watch(target: Target, signal: AbortSignal): Promise<void> {
  const url = `http://127.0.0.1:${target.port}${target.prefix}/tc/v1/watch`;
  try {
    const { body } = await fetch(url, { signal });
    for await (const _ of body ?? []);
  } catch (cause) {
    if (!signal.aborted) throw cause;
  }
}

function lineOf(
  { turn, requests, failed, cpuUs, seconds, rssMb }: Reading,
): string {
  const core = (cpuUs / seconds / 1e4).toFixed(2);
  return `${turn.padEnd(8)} ${
    (cpuUs / requests).toFixed(0)
  } us a request, ${core} % of a core, ${requests} requests, ${failed} failed, ${
    rssMb.toFixed(0)
  } MB, load ${load()}`;
}

function sumOf(turn: Turn): string {
  const own = readings.filter((reading) => reading.turn === turn);
  const middle = (values: readonly number[]) =>
    values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
  const cpu = middle(own.map((one) => one.cpuUs / one.requests));
  const core = middle(own.map((one) => one.cpuUs / one.seconds / 1e4));
  return `median ${turn}: ${cpu.toFixed(0)} us a request, ${
    core.toFixed(2)
  } % of a core`;
}

function say(text: string): void {
  // deno-lint-ignore no-console
  console.log(text);
}
