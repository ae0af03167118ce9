/**
 * `deno task bench:store`: the processor time of a request with a shared store,
 * beside the embedded one. Two servers on one machine take the same load by
 * turns; each figure is the server process's own user and system time, so that
 * others on the machine do not count. PostgreSQL's own time is given beside it.
 *
 * - `--rounds=5 --seconds=15 --rate=200` is the default.
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
    seconds: { type: "string" },
    rate: { type: "string" },
    beside: { type: "string" },
  },
});
const ROUNDS = numberOf(values.rounds, 5);
const SECONDS = numberOf(values.seconds, 15);
const RATE = numberOf(values.rate, 200);
const BESIDE = numberOf(values.beside, 0);

/** Returns the processor time of one request, in microseconds. */
async function measured(server: PoolServer, seconds: number): Promise<number> {
  const before = await cpuUs(server.pid);
  const steady = new SteadyLoad(server, RATE);
  await realClock.sleep(seconds * 1_000);
  const { count, failed } = await steady.stop();
  ok(failed.length === 0, `failed: ${failed.join(", ")}`);
  return (await cpuUs(server.pid) - before) / count;
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
  `${ROUNDS} rounds by turns, ${RATE} requests/s for ${SECONDS} s, ` +
    `${ACCOUNTS.length} accounts; second machine ${BESIDE} requests/s`,
);
for (const server of [embedded, shared]) {
  await measured(server, WARM_UP_SECONDS);
}
const figures: { readonly embedded: number; readonly shared: number }[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const one: Record<string, number> = {};
  const turns = [["embedded", embedded], ["shared", shared]] as const;
  // Neither is always the first.
  for (const [name, server] of round % 2 === 0 ? turns : turns.toReversed()) {
    const isShared = name === "shared";
    const beside = isShared && BESIDE > 0
      ? new SteadyLoad(second, BESIDE)
      : null;
    const before = await postgresUs(pool.postgres.port);
    one[name] = await measured(server, SECONDS);
    const spent = await postgresUs(pool.postgres.port) - before;
    if (isShared) one["postgres"] = spent / SECONDS / 10_000;
    await beside?.stop();
  }
  const { embedded: a = NaN, shared: b = NaN, postgres = NaN } = one;
  figures.push({ embedded: a, shared: b });
  report(
    `round ${round + 1}: embedded ${a.toFixed(0)} us, shared ${b.toFixed(0)} ` +
      `us (${(100 * (b / a - 1)).toFixed(1)} %), PostgreSQL ` +
      `${postgres.toFixed(2)} % of a core, load ${load()}`,
  );
}
const [a, b] = [
  median(figures.map((one) => one.embedded)),
  median(figures.map((one) => one.shared)),
];
const parts = figures.map((one) => 100 * (one.shared / one.embedded - 1));
report(
  `median: embedded ${a.toFixed(0)} us, shared ${b.toFixed(0)} us a request; ` +
    `of the rounds' differences ${median(parts).toFixed(1)} %`,
);
