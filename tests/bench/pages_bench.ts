/**
 * What three open pages cost the requests of others: rounds by turns, with the
 * pages on the screen that shows everything live and without them.
 *
 *   deno run -A tests/bench/pages_bench.ts [--rate=50] [--rounds=5]
 *     [--seconds=20] [--idle]
 *
 * `--idle` gives the browser only the time that nobody else wants (`chrt`), as
 * it has where there are more processors than two or the page is opened on
 * another machine: then the figure is what the server does for the pages, and
 * not what Chromium does with them.
 */

import "../fixtures/clean_environment.ts";
import { parseArgs } from "node:util";
import { Browser, findBrowser } from "../fixtures/browser.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { load } from "./machine.ts";

const PAGES = 3;
const UNLIMITED = { concurrency: 10_000, requestsPerMinute: 1_000_000 };

const { values } = parseArgs({
  args: Deno.args,
  options: {
    rate: { type: "string", default: "50" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "20" },
    idle: { type: "boolean", default: false },
  },
});
const perSecond = Number(values.rate);
const rounds = Number(values.rounds);
const roundMs = Number(values.seconds) * 1_000;

/** Returns how long each request of one round took, in order. */
async function round(baseUrl: string): Promise<readonly number[]> {
  const took: number[] = [];
  const open = new Set<Promise<void>>();
  const endAt = performance.now() + roundMs;
  for (let count = 0; performance.now() < endAt; count++) {
    const one: Promise<void> = ask(baseUrl, count % 40)
      .then((ms) => void took.push(ms)).finally(() => open.delete(one));
    open.add(one);
    await new Promise((wake) => setTimeout(wake, 1_000 / perSecond));
  }
  await Promise.all(open);
  return took.sort((a, b) => a - b);
}

async function ask(baseUrl: string, session: number): Promise<number> {
  const startedMs = performance.now();
  const response = await fetch(`${baseUrl}/v1/messages`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-claude-code-session-id": `session-${session}`,
      "x-demo-nonce": crypto.randomUUID(),
    },
    body: JSON.stringify({
      model: "claude-sonnet-5-5",
      max_tokens: 20,
      messages: [{ role: "user", content: `hello ${session}` }],
    }),
  });
  await response.text();
  if (response.status !== 200) throw new Error(String(response.status));
  return performance.now() - startedMs;
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.floor(sorted.length * share)] ?? 0;
}

function median(values: readonly number[]): number {
  return at(values.toSorted((a, b) => a - b), 0.5);
}

/** Returns a program that starts `browser` and lets all others go first. */
async function idleOnly(
  browser: string,
  folder: TempFolder,
): Promise<string> {
  const path = folder.join("browser");
  const text = `#!/bin/sh\nexec chrt --idle 0 ${browser} "$@"\n`;
  await Deno.writeTextFile(path, text, { mode: 0o755 });
  return path;
}

/** The server's processor time so far, in ticks of 10 ms; 0 where unknown. */
async function ticks(pid: number): Promise<number> {
  const text = await Deno.readTextFile(`/proc/${pid}/stat`).catch(() => "");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

const program = findBrowser();
if (program === null) throw new Error("There is no browser here");
await using api = await startScriptedApi();
for (const name of ["work", "home", "lab"]) {
  api.account(name, { tier: "max_20x" }).limits(UNLIMITED);
}
await using pool = await TcPool.of(api, { usage: { poll: false } });
await pool.tc(["env", "--shell", "sh"]);
const baseUrl = await pool.baseUrl();
const { pid } = (await pool.json(["status"]))["server"] as { pid: number };
await using folder = new TempFolder();
await using browser = await Browser.start(
  values.idle ? await idleOnly(program, folder) : program,
);
await round(baseUrl);
const took = { without: [] as number[], with: [] as number[] };
const p99s = { without: [] as number[], with: [] as number[] };
const used = { without: 0, with: 0 };
for (let count = 0; count < rounds; count++) {
  for (const how of ["without", "with"] as const) {
    const tabs = [];
    for (let page = 0; how === "with" && page < PAGES; page++) {
      const tab = await browser.open(
        String((await pool.json(["ui"]))["url"]),
      );
      await tab.until("document.querySelectorAll('.account').length > 0");
      tabs.push(tab);
    }
    const before = await ticks(pid);
    const each = await round(baseUrl);
    const spent = await ticks(pid) - before;
    for (const tab of tabs) await tab.run("location.href = 'about:blank'");
    took[how].push(...each);
    p99s[how].push(at(each, 0.99));
    used[how] += spent;
    say(
      `${how.padEnd(8)} p50 ${at(each, 0.5).toFixed(1)} ms, p99 ${
        at(each, 0.99).toFixed(1)
      } ms, ${spent} ticks, ${each.length} requests, load ${load()}`,
    );
  }
}
const { without, with: opened } = took;
for (const all of [without, opened]) all.sort((a, b) => a - b);
const p50Ratio = at(opened, 0.5) / at(without, 0.5);
const p99Ratio = at(opened, 0.99) / at(without, 0.99);
say(
  `${PAGES} pages, all rounds: p50 ${at(without, 0.5).toFixed(2)} -> ${
    at(opened, 0.5).toFixed(2)
  } ms (x ${p50Ratio.toFixed(2)}), p99 ${at(without, 0.99).toFixed(2)} -> ${
    at(opened, 0.99).toFixed(2)
  } ms (x ${p99Ratio.toFixed(2)}); median of the rounds' p99 x ${
    (median(p99s.with) / median(p99s.without)).toFixed(2)
  }; processor time x ${(used.with / used.without).toFixed(2)}`,
);

function say(text: string): void {
  // deno-lint-ignore no-console
  console.log(text);
}
