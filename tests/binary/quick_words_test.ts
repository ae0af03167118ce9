/**
 * What is asked at a prompt takes little more processor time than `tc version`:
 * help, a Tab, the status. Measured with the executable alone, because from
 * source each start reads all modules.
 */

import "../fixtures/clean_environment.ts";
import { ok, strictEqual } from "node:assert/strict";
import { listening } from "../fixtures/listening.ts";
import { report } from "../fixtures/report.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { needs } from "../fixtures/skipped.ts";
import { tcCommand, TcPool } from "../fixtures/tc_process.ts";

const SHARE_MAX = 1.3;
/**
 * The limit where others use the machine as well: it finds a command that loads
 * everything, and does not fail for a busy moment. TC_LONG keeps to the real one.
 */
const BUSY_SHARE_MAX = 2;
const ROUNDS = 5;
/** The shell tells the time of its children in hundredths of a second. */
const RUNS = 8;

const COMMANDS = {
  version: ["version"],
  help: ["--help"],
  tab: ["__complete", "sta"],
  status: ["status"],
} as const;

const SCRIPT = `i=0; while [ $i -lt ${RUNS} ]; do
"$@" >/dev/null 2>&1 || exit 1; i=$((i+1)); done; times`;

/** Returns the processor time of one run, in milliseconds. */
async function cpuMs(pool: TcPool, args: readonly string[]): Promise<number> {
  const { code, stdout } = await new Deno.Command("sh", {
    args: ["-c", SCRIPT, "sh", ...tcCommand(), ...args],
    clearEnv: true,
    env: { ...pool.variables },
    stdin: "null",
  }).output();
  strictEqual(code, 0, args.join(" "));
  const [, children = ""] = new TextDecoder().decode(stdout).split("\n");
  const seconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)]
    .reduce(
      (sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest),
      0,
    );
  return seconds * 1_000 / RUNS;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}

Deno.test({
  name: "help, a Tab and the status take little more than tc version",
  ignore: needs("scripts"),
  async fn() {
    if (Deno.env.get("TC_TEST_BINARY") === undefined) {
      report("skipped: TC_TEST_BINARY names no executable");
      return;
    }
    await using api = await startScriptedApi();
    for (const name of ["work", "home", "spare"]) api.account(name);
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    const server = pool.command(["server", "--headless"], {
      stdout: "null",
      stderr: "null",
    }).spawn();
    await listening(pool.port);
    const taken = new Map<string, number[]>();
    // By turns, so that other work on the machine falls on all alike.
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, args] of Object.entries(COMMANDS)) {
        const ms = await cpuMs(pool, args);
        taken.set(name, [...taken.get(name) ?? [], ms]);
      }
    }
    await pool.tc(["stop"]);
    await server.status;
    const base = median(taken.get("version") ?? []);
    const shares = [...taken].map(([name, all]) =>
      [name, median(all) / base] as const
    );
    report(
      `processor time, tc version ${base.toFixed(0)} ms: ` +
        shares.map(([name, share]) => `${name} ${share.toFixed(2)}`).join(", "),
    );
    const most = Deno.env.has("TC_LONG") ? SHARE_MAX : BUSY_SHARE_MAX;
    for (const [name, share] of shares) {
      ok(
        share <= most,
        `tc ${name}: ${share.toFixed(2)} times tc version`,
      );
    }
  },
});
