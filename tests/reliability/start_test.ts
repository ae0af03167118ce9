/** Many starts at once on one folder (K14). */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { startDemoApi } from "../../src/demo/api.ts";
import { answersAfterMs } from "../fixtures/listening.ts";
import { numbered } from "../fixtures/demo_plane.ts";
import { report } from "../fixtures/report.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { trials } from "../fixtures/trials.ts";

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

async function pidAt(baseUrl: string): Promise<number> {
  const health = await (await fetch(`${baseUrl}/healthz`)).json();
  return health.pid;
}

Deno.test(`${STARTS} servers at once on one folder: one serves, the others say who`, async () => {
  await using api = await startDemoApi();
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
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using api = await startDemoApi();
    api.account("work", { tier: "max_20x" });
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    const bin = pool.folder.join("bin");
    await Deno.mkdir(bin);
    await Deno.writeTextFile(
      `${bin}/claude`,
      '#!/bin/sh\nprintf "%s" "$ANTHROPIC_BASE_URL"\n',
      { mode: 0o755 },
    );
    const path = `${bin}:${Deno.env.get("PATH") ?? ""}`;
    const runs = await Promise.all(
      numbered(RUNS, () => pool.tc(["run"], { PATH: path })),
    );
    const baseUrl = await pool.baseUrl();
    for (const { code, stdout, stderr } of runs) {
      strictEqual(code, 0, stderr);
      strictEqual(stdout, baseUrl);
    }
    ok(await pidAt(baseUrl) > 0);
    // Who came late is no fault that a person has to look at.
    const log = await pool.log();
    ok(!/ error /.test(log), log);
  },
});
