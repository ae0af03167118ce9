/**
 * What the ledger costs the data plane: two servers side by side under the same
 * traffic, one of which cannot open its database. Linux alone: it reads the
 * processor time of each server, which other work on the machine leaves alone.
 * Run: deno run -A tests/bench/ledger_cost_bench.ts [requests a round]
 */

import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { simulateSessions } from "../../src/demo/traffic/traffic.ts";
import { PoolFolder, type PoolServer } from "../fixtures/pool_server.ts";
import { realClock } from "../fixtures/real_ports.ts";

const REQUESTS = Number(Deno.args[0] ?? 300);
const ROUNDS = 6;
const TICKS_PER_SECOND = 100;

function cpuMs({ pid }: PoolServer): number {
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return ticks * 1_000 / TICKS_PER_SECOND;
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

async function round(server: PoolServer, seed: number): Promise<number> {
  const before = cpuMs(server);
  const { requests } = await simulateSessions({
    baseUrl: server.baseUrl,
    clock: realClock,
    seed,
    pace: "instant",
    sessions: 6,
    requestsMax: REQUESTS,
    prefixTokens: 6_000,
    compactionTokens: 40_000,
  }).done;
  return (cpuMs(server) - before) / requests;
}

await using api = await startScriptedApi({ seed: 1 });
for (const name of ["work", "home"]) {
  api.account(name, { tier: "max_20x" })
    .limits({ concurrency: 1_000, requestsPerMinute: 1_000_000 });
}
await using on = new PoolFolder();
await using off = new PoolFolder();
// So many new conversations a minute would be parked, and nothing measured.
const settings = { log: { level: "error" }, routing: { parking: 0 } };
await on.fill(api, settings);
await off.fill(api, settings);
// A file where the folder should be: nothing can be written there.
Deno.writeTextFileSync(off.folder.join("state"), "");
const withLedger = await on.start();
const without = await off.start();
const sums = { on: 0, off: 0 };
await round(withLedger, 0);
await round(without, 0);
for (let index = 1; index <= ROUNDS; index++) {
  // In turns, and each first as often as the other.
  if (index % 2 === 0) sums.on += await round(withLedger, index);
  sums.off += await round(without, index);
  if (index % 2 === 1) sums.on += await round(withLedger, index);
  if (index % 2 === 0) continue;
  say(`after ${index} rounds: ${JSON.stringify(sums)}`);
}
say(
  `processor time a request: ${(sums.on / ROUNDS).toFixed(3)} ms with, ${
    (sums.off / ROUNDS).toFixed(3)
  } ms without, ${((sums.on / sums.off - 1) * 100).toFixed(1)} % more`,
);
await withLedger.stop();
await without.stop();
