/**
 * `deno task bench:store`: the processor time of a request with a shared store,
 * beside the embedded one. Two servers on one machine take the same load by
 * turns of a few seconds, so that what others do on the machine meets both; each
 * figure is the server process's own user and system time. What a server still
 * sends after its turn counts. PostgreSQL's own time is given beside it.
 *
 * - `--rounds=5 --turns=5 --seconds=3 --rate=200` is the default.
 * - `--beside=20` sends so many requests a second to the second machine of the
 *   pool meanwhile, whose news and ledger the first one takes in.
 */

import { ok } from "node:assert/strict";
import { parseArgs } from "node:util";
import { PoolFolder, type PoolServer } from "../fixtures/pool_server.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { sharedServers, SteadyLoad } from "../fixtures/shared_servers.ts";
import { cpuUs, load, machine } from "./machine.ts";
import { report } from "../fixtures/report.ts";

const ACCOUNTS = ["work", "home", "lab"];
const WARM_UP_SECONDS = 15;

function numberOf(text: string | undefined, usual: number): number {
  return text === undefined ? usual : Number(text);
}

const { values } = parseArgs({
  args: Deno.args,
  options: {
    rounds: { type: "string" },
    turns: { type: "string" },
    seconds: { type: "string" },
    rate: { type: "string" },
    beside: { type: "string" },
  },
});
const ROUNDS = numberOf(values.rounds, 5);
const TURNS = numberOf(values.turns, 5);
const SECONDS = numberOf(values.seconds, 3);
const RATE = numberOf(values.rate, 200);
const BESIDE = numberOf(values.beside, 0);

/** Until a server has sent what it has to tell of its requests. */
const AFTERWARDS_MS = 1_500;

/** Processor time and the requests that it was spent on. */
interface Spent {
  readonly us: number;
  readonly requests: number;
}

const NOTHING: Spent = { us: 0, requests: 0 };

function added(a: Spent, b: Spent): Spent {
  return { us: a.us + b.us, requests: a.requests + b.requests };
}

function each({ us, requests }: Spent): number {
  return us / requests;
}

async function measured(server: PoolServer, seconds: number): Promise<Spent> {
  const before = await cpuUs(server.pid);
  const steady = new SteadyLoad(server, RATE);
  await realClock.sleep(seconds * 1_000);
  const { count, failed } = await steady.stop();
  ok(failed.length === 0, `failed: ${failed.join(", ")}`);
  await realClock.sleep(AFTERWARDS_MS);
  return { us: await cpuUs(server.pid) - before, requests: count };
}

/** Returns the processor time of all processes of PostgreSQL, in microseconds. */
async function postgresUs(port: number): Promise<number> {
  const { stdout } = await new Deno.Command("ps", {
    args: ["-eo", "pid=,ppid=,args="],
  }).output();
  const rows = new TextDecoder().decode(stdout).trim().split("\n")
    .map((line) => line.trim().split(/\s+/));
  const root = rows.find((row) =>
    row[2]?.endsWith("/postgres") && row.includes(String(port))
  )?.[0];
  let sum = 0;
  for (const [pid, parent] of rows) {
    if (pid !== root && parent !== root) continue;
    sum += await cpuUs(Number(pid)).catch(() => 0);
  }
  return sum;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

await using pool = await sharedServers(2, ACCOUNTS);
const [shared, second] = pool.servers;
ok(shared !== undefined && second !== undefined);
await using folder = new PoolFolder();
await folder.fill(pool.api);
const embedded = await folder.start();

report(await machine());
report(
  `${ROUNDS} rounds of ${TURNS} turns of ${SECONDS} s, ${RATE} requests/s, ` +
    `${ACCOUNTS.length} accounts; second machine ${BESIDE} requests/s`,
);
for (const server of [embedded, shared]) {
  await measured(server, WARM_UP_SECONDS);
}

/** Returns what a turn of each server costs; neither is always the first. */
async function turn(
  [one, other]: readonly [PoolServer, PoolServer],
  isTurned: boolean,
): Promise<readonly [Spent, Spent]> {
  if (!isTurned) {
    return [await measured(one, SECONDS), await measured(other, SECONDS)];
  }
  const last = await measured(other, SECONDS);
  return [await measured(one, SECONDS), last];
}

const differences: number[] = [];
let all: readonly [Spent, Spent] = [NOTHING, NOTHING];
for (let round = 0; round < ROUNDS; round++) {
  let sums: readonly [Spent, Spent] = [NOTHING, NOTHING];
  const before = await postgresUs(pool.postgres.port);
  const beside = BESIDE > 0 ? new SteadyLoad(second, BESIDE) : null;
  for (let count = 0; count < TURNS; count++) {
    const [a, b] = await turn([embedded, shared], (round + count) % 2 === 1);
    sums = [added(sums[0], a), added(sums[1], b)];
  }
  await beside?.stop();
  const databaseUs = await postgresUs(pool.postgres.port) - before;
  all = [added(all[0], sums[0]), added(all[1], sums[1])];
  const part = 100 * (each(sums[1]) / each(sums[0]) - 1);
  differences.push(part);
  report(
    `round ${round + 1}: embedded ${each(sums[0]).toFixed(0)} us, shared ` +
      `${each(sums[1]).toFixed(0)} us (${part.toFixed(1)} %); PostgreSQL ` +
      `${(databaseUs / sums[1].requests).toFixed(0)} us a request of the ` +
      `shared one; load ${load()}`,
  );
}
report(
  `all: embedded ${each(all[0]).toFixed(0)} us, shared ` +
    `${each(all[1]).toFixed(0)} us a request ` +
    `(${(100 * (each(all[1]) / each(all[0]) - 1)).toFixed(1)} %); median of ` +
    `the rounds ${median(differences).toFixed(1)} %`,
);
