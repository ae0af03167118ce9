/**
 * `deno task bench:store`: the processor time of a request with a shared store,
 * beside the embedded one. Two servers take the same load at the same time, so
 * that what others do on the machine meets both alike: by turns, two servers of
 * one kind differed by up to 25 %. Each round has new servers, because two
 * processes of one kind differ by some percent for as long as they run. Each
 * figure is the server process's own user and system time; what it still sends
 * afterwards counts. PostgreSQL's own time is given beside it.
 *
 * - `--rounds=8 --seconds=30 --rate=200` is the default.
 * - `--same` compares two embedded servers: how far the figures can be trusted.
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
const WARM_UP_SECONDS = 12;
/** How long both servers rest, to see what they cost without requests. */
const REST_SECONDS = 10;

function numberOf(text: string | undefined, usual: number): number {
  return text === undefined ? usual : Number(text);
}

const { values } = parseArgs({
  args: Deno.args,
  options: {
    rounds: { type: "string" },
    seconds: { type: "string" },
    rate: { type: "string" },
    beside: { type: "string" },
    same: { type: "boolean" },
  },
});
const ROUNDS = numberOf(values.rounds, 8);
const SECONDS = numberOf(values.seconds, 30);
const RATE = numberOf(values.rate, 200);
const BESIDE = numberOf(values.beside, 0);

/** Until a server has sent what it has to tell of its requests. */
const AFTERWARDS_MS = 8_000;

/** What one request costs, and how many there were. */
interface Cost {
  readonly us: number;
  readonly requests: number;
}

/** Loads all servers at once; returns what a request cost each. */
async function underLoad(
  servers: readonly PoolServer[],
  seconds: number,
): Promise<readonly Cost[]> {
  const before = await Promise.all(servers.map(({ pid }) => cpuUs(pid)));
  const loads = servers.map((server) => new SteadyLoad(server, RATE));
  await realClock.sleep(seconds * 1_000);
  const ends = await Promise.all(loads.map((steady) => steady.stop()));
  await realClock.sleep(AFTERWARDS_MS);
  const after = await Promise.all(servers.map(({ pid }) => cpuUs(pid)));
  return ends.map(({ count, failed }, index) => {
    ok(failed.length === 0, `failed: ${failed.join(", ")}`);
    const us = (after[index] ?? NaN) - (before[index] ?? NaN);
    return { us: us / count, requests: count };
  });
}

/** Returns what each server spends without requests, in ms a second. */
async function atRest(
  servers: readonly PoolServer[],
): Promise<readonly number[]> {
  const before = await Promise.all(servers.map(({ pid }) => cpuUs(pid)));
  await realClock.sleep(REST_SECONDS * 1_000);
  const after = await Promise.all(servers.map(({ pid }) => cpuUs(pid)));
  return after.map((us, index) =>
    (us - (before[index] ?? NaN)) / 1_000 / REST_SECONDS
  );
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
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [Math.ceil(middle) - 1, Math.floor(middle)];
  return ((sorted[low] ?? NaN) + (sorted[high] ?? NaN)) / 2;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Returns the standard error of the mean. */
function doubt(values: readonly number[]): number {
  const middle = mean(values);
  const squares = values.map((value) => (value - middle) ** 2);
  return Math.sqrt(
    squares.reduce((sum, square) => sum + square, 0) /
      Math.max(1, values.length - 1) / values.length,
  );
}

/** One round with new servers. */
interface Round {
  readonly embedded: Cost;
  readonly shared: Cost;
  readonly rest: readonly number[];
  readonly databaseUs: number;
}

async function round(isTurned: boolean): Promise<Round> {
  await using pool = await sharedServers(2, ACCOUNTS);
  const [one, second] = pool.servers;
  ok(one !== undefined && second !== undefined);
  await using folder = new PoolFolder();
  await using other = new PoolFolder();
  for (const each of [folder, other]) await each.fill(pool.api);
  const embedded = await folder.start();
  const shared = values.same ? await other.start() : one;
  const pair = isTurned ? [shared, embedded] : [embedded, shared];
  const beside = BESIDE > 0 ? new SteadyLoad(second, BESIDE) : null;
  await underLoad(pair, WARM_UP_SECONDS);
  const before = await postgresUs(pool.postgres.port);
  const costs = await underLoad(pair, SECONDS);
  const databaseUs = await postgresUs(pool.postgres.port) - before;
  await beside?.stop();
  const rest = await atRest(pair);
  const [first, last] = costs;
  ok(first !== undefined && last !== undefined);
  return {
    embedded: isTurned ? last : first,
    shared: isTurned ? first : last,
    rest: isTurned ? rest.toReversed() : rest,
    databaseUs,
  };
}

report(await machine());
report(
  `${ROUNDS} rounds of ${SECONDS} s, ${RATE} requests/s to each server, ` +
    `${ACCOUNTS.length} accounts; second machine ${BESIDE} requests/s` +
    (values.same ? "; both embedded" : ""),
);
const rounds: Round[] = [];
for (let index = 0; index < ROUNDS; index++) {
  const one = await round(index % 2 === 1);
  rounds.push(one);
  const { embedded, shared, rest, databaseUs } = one;
  report(
    `round ${index + 1}: embedded ${embedded.us.toFixed(0)} us, shared ` +
      `${shared.us.toFixed(0)} us ` +
      `(${(100 * (shared.us / embedded.us - 1)).toFixed(1)} %), ` +
      `${shared.requests} requests each; at rest ` +
      `${rest.map((ms) => ms.toFixed(1)).join(" and ")} ms/s; PostgreSQL ` +
      `${
        (databaseUs / shared.requests).toFixed(0)
      } us a request; load ${load()}`,
  );
}
const parts = rounds.map(({ embedded, shared }) =>
  100 * (shared.us / embedded.us - 1)
);
report(
  `all: embedded ${
    mean(rounds.map((one) => one.embedded.us)).toFixed(0)
  } us, ` +
    `shared ${
      mean(rounds.map((one) => one.shared.us)).toFixed(0)
    } us a request; ` +
    `median of the rounds ${median(parts).toFixed(1)} %, mean ` +
    `${mean(parts).toFixed(1)} ± ${doubt(parts).toFixed(1)} %`,
);
