/** `tc export` and `tc import`, killed at any moment: no login is lost. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, ok } from "node:assert/strict";
import { openPool } from "../../src/store/pool_file.ts";
import { type MovedPool } from "../../src/store/pool_file.ts";
import { report } from "../fixtures/report.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { trials } from "../fixtures/trials.ts";

const PASSPHRASE = "correct horse battery";
const LABELS = ["console", "home", "work"];

/** Runs tc and kills it after `killMs`; null lets it end. */
async function run(
  pool: TcPool,
  args: readonly string[],
  killMs: number | null,
): Promise<{ readonly tookMs: number; readonly code: number }> {
  const startedMs = performance.now();
  const child = pool.command([...args, "--passphrase-stdin"], {
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  // It may be gone before it has read.
  await writer.write(new TextEncoder().encode(`${PASSPHRASE}\n`)).catch(
    () => {},
  );
  await writer.close().catch(() => {});
  const timer = killMs === null ? null : setTimeout(() => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
  }, killMs);
  const { code } = await child.status;
  if (timer !== null) clearTimeout(timer);
  return { tookMs: performance.now() - startedMs, code };
}

async function labelsOf(pool: TcPool): Promise<readonly string[]> {
  const { entries, damaged } = await (await pool.vault()).list();
  deepStrictEqual(damaged, []);
  return entries.map(({ label }) => label);
}

/** What the file holds; nothing if it is not there, or not whole yet. */
async function inFile(file: string): Promise<MovedPool["entries"]> {
  const bytes = await Deno.readFile(file).catch(() => null);
  if (bytes === null) return [];
  return (await openPool(bytes, PASSPHRASE, file)).entries;
}

Deno.test("export and import killed at any moment: every login is here, in the file, or there", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_20x" });
  api.account("home", { tier: "pro" });
  api.account("console", { kind: "api_key" });
  await using measured = await TcPool.of(api);
  const whole = await run(
    measured,
    ["export", measured.folder.join("m.age"), "--yes"],
    null,
  );
  ok(whole.code === 0);
  const rounds = trials(1, 100);
  let cut = 0;
  for (let round = 0; round < rounds; round++) {
    await using here = await TcPool.of(api);
    await using empty = await startScriptedApi();
    await using there = await TcPool.of(empty);
    const file = here.folder.join("pool.age");
    // The writing is in the last part of the command's time.
    const share = 0.5 + 0.55 * (round + 0.5) / rounds;
    const first = await run(
      here,
      ["export", file, "--yes"],
      whole.tookMs * share,
    );
    if (first.code !== 0) cut++;
    const moved = (await inFile(file)).map(({ label }) => label);
    const kept = await labelsOf(here);
    deepStrictEqual(union(kept, moved), LABELS, `export, ${share}`);
    // Started again with another name, it moves what is left.
    await run(here, ["export", here.folder.join("again.age"), "--yes"], null);

    const source = moved.length > 0 ? file : here.folder.join("again.age");
    await run(there, ["import", source], whole.tookMs * share);
    const left = (await inFile(source)).map(({ label }) => label);
    const taken = await labelsOf(there);
    deepStrictEqual(
      union(union(taken, left), await labelsOf(here)),
      LABELS,
      `import, ${share}`,
    );
    // Started again, it goes on.
    const end = await run(there, ["import", source], null);
    ok(end.code === 0);
    deepStrictEqual(union(await labelsOf(there), []), LABELS);
  }
  report(`${rounds} rounds, ${cut} exports cut: no login was lost`);
});

function union(
  a: readonly string[],
  b: readonly string[],
): readonly string[] {
  return [...new Set([...a, ...b])].sort();
}
