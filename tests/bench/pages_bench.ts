/**
 * What three open pages cost the requests of others: rounds by turns, with the
 * pages on the screen that shows everything live and without them.
 *
 *   deno run -A tests/bench/pages_bench.ts [requests a second] [rounds]
 */

import "../fixtures/clean_environment.ts";
import { Browser, findBrowser } from "../fixtures/browser.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

const ROUND_MS = 10_000;
const PAGES = 3;
const UNLIMITED = { concurrency: 10_000, requestsPerMinute: 1_000_000 };

const [perSecond = 50, rounds = 5] = Deno.args.map(Number);

/** Returns how long each request of one round took, in order. */
async function round(baseUrl: string): Promise<readonly number[]> {
  const took: number[] = [];
  const open = new Set<Promise<void>>();
  const endAt = performance.now() + ROUND_MS;
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
await using browser = await Browser.start(program);
await round(baseUrl);
const results = { without: [] as number[][], with: [] as number[][] };
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
    const took = await round(baseUrl);
    const used = await ticks(pid) - before;
    for (const tab of tabs) await tab.run("location.href = 'about:blank'");
    results[how].push([at(took, 0.5), at(took, 0.99), used]);
    // deno-lint-ignore no-console
    console.log(
      `${how.padEnd(8)} p50 ${at(took, 0.5).toFixed(1)} ms, p99 ${
        at(took, 0.99).toFixed(1)
      } ms, ${used} ticks, ${took.length} requests`,
    );
  }
}
const p99 = (how: keyof typeof results) =>
  median(results[how].map((row) => row[1] ?? 0));
// deno-lint-ignore no-console
console.log(
  `median p99: ${p99("without").toFixed(1)} ms without, ${
    p99("with").toFixed(1)
  } ms with ${PAGES} pages: x ${(p99("with") / p99("without")).toFixed(2)}`,
);
