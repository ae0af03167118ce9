/**
 * What a routing decision costs, apart from what the machine adds:
 * `deno run tests/bench/route_cost.ts`. The aim is 50 microseconds at p99 for
 * 20 accounts and 500 conversations.
 */

import { snapshot } from "../../src/core/pool/pool.ts";
import { route } from "../../src/core/route/route.ts";
import { after, type Instant } from "../../src/core/time.ts";
import { conversationId, query } from "../fixtures/pool.ts";
import { BUSY_UNTIL, busyPool, CONVERSATIONS } from "./busy_pool.ts";

const WARM_UP = 20_000;
/** A decision is pure: the shortest of some repetitions is what it costs. */
const REPETITIONS = 15;
/** New conversations beside the known ones. */
const NEW = 100;

const POOL = busyPool();
let calls = 0;

/** No two calls share an instant, or the census of the first would serve all. */
function nextInstant(): Instant {
  return after(BUSY_UNTIL, calls++ % 60_000);
}

function decide(number: number): void {
  const conversation = conversationId(`c${number}`);
  route(
    snapshot(POOL, nextInstant()),
    query({ conversation, contextTokens: 61_000 }),
  );
}

/** As many steps of nothing as take about as long as a decision. */
function idle(steps: number): number {
  let sum = 0;
  for (let step = 0; step < steps; step++) {
    sum = (Math.imul(sum, 31) + step) | 0;
  }
  return sum;
}

function timed(run: () => void): number {
  const startedAt = performance.now();
  run();
  return (performance.now() - startedAt) * 1_000;
}

function shortest(run: () => void): number {
  let least = Infinity;
  for (let turn = 0; turn < REPETITIONS; turn++) {
    least = Math.min(least, timed(run));
  }
  return least;
}

function row(name: string, times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  const cells = [at(0.5), at(0.75), at(0.99), at(1)].map((value) =>
    value.toFixed(1).padStart(8)
  );
  return `${name.padEnd(42)}${cells.join("")}`;
}

function main(): void {
  const numbers = Array.from({ length: CONVERSATIONS + NEW }, (_, n) => n);
  for (let turn = 0; turn < WARM_UP; turn++) decide(turn % numbers.length);
  const own = numbers.map((number) => shortest(() => decide(number)));
  const middle = own.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
  for (let turn = 0; turn < WARM_UP; turn++) idle(1_000);
  const perStep = shortest(() => idle(10_000)) / 10_000;
  const steps = Math.round(middle / perStep);
  const once: number[] = [];
  const nothing: number[] = [];
  for (let turn = 0; turn < REPETITIONS; turn++) {
    for (const number of numbers) {
      once.push(timed(() => decide(number)));
      nothing.push(timed(() => idle(steps)));
    }
  }
  const head = ["p50", "p75", "p99", "most"].map((name) => name.padStart(8));
  const lines = [
    `${"microseconds".padEnd(42)}${head.join("")}`,
    row("route(), the shortest of 15 each", own),
    row("route(), each run as it came", once),
    row("as long a loop of nothing, as it came", nothing),
  ];
  // deno-lint-ignore no-console
  console.log(lines.join("\n"));
}

if (import.meta.main) main();
