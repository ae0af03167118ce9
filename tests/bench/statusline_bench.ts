/**
 * How long the status line of a compiled tc takes against a live server, its
 * start included; and without a server.
 * Run: deno run -A tests/bench/statusline_bench.ts dist/tc [runs]
 */

import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { simulateSessions } from "../../src/demo/traffic/traffic.ts";
import { PoolFolder } from "../fixtures/pool_server.ts";
import { realClock } from "../fixtures/real_ports.ts";

const BINARY = Deno.args[0] ?? "dist/tc";
const RUNS = Number(Deno.args[1] ?? 100);
const SESSION = "0b1e8f5a-1111-4222-8333-444444444444";

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

async function once(
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
): Promise<readonly [ms: number, line: string]> {
  const startMs = performance.now();
  const child = new Deno.Command(BINARY, {
    args: [...args],
    env: { ...variables },
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  const input = { session_id: SESSION, model: { display_name: "Opus 5.5" } };
  try {
    await writer.write(new TextEncoder().encode(JSON.stringify(input)));
    await writer.close();
  } catch {
    // The version is told without a look at the input.
  }
  const { stdout, code } = await child.output();
  if (code !== 0) throw new Error(`Exit code ${code}`);
  return [performance.now() - startMs, new TextDecoder().decode(stdout)];
}

/** The line beside the bare start, turn by turn, so that both bear one load. */
async function series(
  name: string,
  variables: Readonly<Record<string, string>>,
): Promise<void> {
  const starts: number[] = [];
  const times: number[] = [];
  const lines = new Set<string>();
  for (let run = 0; run < RUNS; run++) {
    starts.push((await once(["--version"], variables))[0]);
    const [ms, line] = await once(["statusline"], variables);
    times.push(ms);
    lines.add(line.trim());
  }
  say(`${name}: ${quantiles(times)}`);
  say(`  its start alone (tc --version): ${quantiles(starts)}`);
  const more = times.map((ms, run) => ms - (starts[run] ?? 0));
  say(`  beside it, turn by turn: ${quantiles(more)}`);
  say(`  ${[...lines].slice(0, 2).join("\n  ")}`);
}

function quantiles(times: readonly number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (part: number) =>
    sorted[Math.min(RUNS - 1, Math.floor(part * RUNS))]?.toFixed(0);
  return `median ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms`;
}

await using api = await startScriptedApi({ seed: 1 });
api.account("work", { tier: "max_20x" });
await using pool = new PoolFolder();
await pool.fill(api);
const server = await pool.start();
await simulateSessions({
  baseUrl: server.baseUrl,
  clock: realClock,
  seed: 1,
  pace: "instant",
  sessions: 1,
  sessionIds: [SESSION],
  requestsMax: 5,
}).done;
const load = Deno.loadavg()[0]?.toFixed(1);
say(`load ${load} on ${navigator.hardwareConcurrency} processors`);
await series("with a server", pool.variables);
await server.stop();
await series("without a server, from its state", pool.variables);
