/** Many starts at once on one folder (K14). */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { freePort } from "../fixtures/free_port.ts";
import { answersAfterMs } from "../fixtures/listening.ts";
import { numbered } from "../fixtures/demo_plane.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { report } from "../fixtures/report.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { trials } from "../fixtures/trials.ts";
import { printsVariable, putClient } from "../fixtures/client_stub.ts";

const STARTS = trials(12, 200);
const RUNS = trials(6, 40);
const ALREADY_RUNNING = 5;

interface Ended {
  readonly pid: number;
  readonly code: number;
  readonly said: string;
}

/** Starts a server; resolves when it has ended. */
async function started(pool: TcPool): Promise<Ended> {
  const child = pool.command(["server", "--headless"], { stdout: "null" })
    .spawn();
  const { code, stderr } = await child.output();
  return { pid: child.pid, code, said: new TextDecoder().decode(stderr) };
}

async function isServing(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => null);
  await answer?.body?.cancel();
  return answer !== null;
}

async function pidAt(baseUrl: string): Promise<number> {
  const health = await (await fetch(`${baseUrl}/healthz`)).json();
  return health.pid;
}

/** Variables with a Claude Code that only says where it was sent. */
async function withClaude(pool: TcPool): Promise<Record<string, string>> {
  const bin = pool.folder.join("bin");
  await Deno.mkdir(bin);
  return { PATH: await putClient(bin, printsVariable("ANTHROPIC_BASE_URL")) };
}

Deno.test(`${STARTS} servers at once on one folder: one serves, the others say who`, async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_20x" });
  // It has no key yet, no state folder and no database: all make them at once.
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  const startedMs = performance.now();
  let losers = 0;
  const allLost = Promise.withResolvers<void>();
  const ends = numbered(STARTS, async () => {
    const end = await started(pool);
    if (++losers === STARTS - 1) allLost.resolve();
    return end;
  });
  await Promise.all([answersAfterMs(pool.port), allLost.promise]);
  const tookMs = performance.now() - startedMs;
  const winner = await pidAt(await pool.baseUrl());
  strictEqual((await pool.tc(["stop"])).code, 0);
  const all = await Promise.all(ends);
  const [first, ...others] = all.toSorted((a, b) =>
    Number(b.pid === winner) - Number(a.pid === winner)
  );
  deepStrictEqual([first?.pid, first?.code], [winner, 0], first?.said);
  for (const { code, said } of others) {
    strictEqual(code, ALREADY_RUNNING, said);
    match(said, new RegExp(`^Cannot start: .*\\(pid ${winner}\\)`, "m"));
    match(said, new RegExp(`http://127\\.0\\.0\\.1:${pool.port}`));
    ok(!/\n\s+at /.test(said), said);
  }
  report(
    `${STARTS} starts at once: 1 serves, ${others.length} ended with 5,` +
      ` the last after ${Math.round(tookMs)} ms`,
  );
});

Deno.test({
  name: `${RUNS} users at once where no server runs: all get the same one`,
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work", { tier: "max_20x" });
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    const variables = await withClaude(pool);
    const runs = await Promise.all(
      numbered(RUNS, () => pool.tc(["run"], variables)),
    );
    const baseUrl = await pool.baseUrl();
    for (const { code, stdout, stderr } of runs) {
      strictEqual(code, 0, stderr);
      strictEqual(stdout, baseUrl.split("/k/")[0]);
    }
    ok(await pidAt(baseUrl) > 0);
    // None of the others is on its way to take the place of the one.
    strictEqual((await pool.tc(["stop"])).code, 0);
    await realClock.sleep(1_500);
    ok(!await isServing(pool.port), "a spare server came after the stop");
    // Who came late is no fault that a person has to look at.
    const log = await pool.log();
    ok(!/ error /.test(log), log);
  },
});

Deno.test({
  name: "a server on another port is found by its pool, unless a port is named",
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work", { tier: "max_20x" });
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    const port = String(freePort());
    const server = pool.command(["server", "--headless", "--port", port], {
      stdout: "null",
      stderr: "null",
    }).spawn();
    await answersAfterMs(Number(port));
    const variables = await withClaude(pool);
    const named = { ...variables, TC_PROXY_PORT: String(pool.port) };
    const refused = await pool.tc(["run"], named);
    strictEqual(refused.code, ALREADY_RUNNING, refused.stderr);
    match(refused.stderr, new RegExp(`pid ${server.pid}.*127.0.0.1:${port}`));
    const run = await pool.tc(["run"], variables);
    strictEqual(run.code, 0, run.stderr);
    match(run.stdout, new RegExp(`:${port}$`));
    // A port that the config gets later is for the next server.
    await pool.tc(["config", "set", "proxy.port", String(freePort())]);
    const { server: seen } = await pool.json(["status"]) as {
      readonly server: { readonly pid: number };
    };
    strictEqual(seen.pid, server.pid);
    strictEqual((await pool.tc(["stop"], variables)).code, 0);
    strictEqual((await server.status).code, 0);
  },
});
