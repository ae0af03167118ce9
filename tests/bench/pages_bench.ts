/**
 * What three open pages cost the requests of others. Two servers take the same
 * load all the time; by turns the pages, on the screen that shows everything
 * live, are open at neither, at the first and at the second.
 *
 *   deno run -A tests/bench/pages_bench.ts [--rate=50] [--rounds=6]
 *     [--seconds=20]
 *
 * A server's requests with the pages at the other server have the same browser
 * beside them, which draws as much on the same processors: the difference to
 * those with the pages at their own is what the server does for its pages.
 */

import "../fixtures/clean_environment.ts";
import { parseArgs } from "node:util";
import { Browser, findBrowser, type Page } from "../fixtures/browser.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { cpuUs, load } from "./machine.ts";

const PAGES = 3;
const UNLIMITED = { concurrency: 10_000, requestsPerMinute: 1_000_000 };

const { values } = parseArgs({
  args: Deno.args,
  options: {
    rate: { type: "string", default: "50" },
    rounds: { type: "string", default: "6" },
    seconds: { type: "string", default: "20" },
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

/** A server, and what its requests took by where the pages were. */
interface Side {
  readonly pool: TcPool;
  readonly baseUrl: string;
  readonly pid: number;
  readonly took: Readonly<Record<Where, number[]>>;
  readonly cpuUs: Record<Where, number>;
}

const WHERE = ["none", "own", "other"] as const;
type Where = typeof WHERE[number];

async function sideOf(pool: TcPool): Promise<Side> {
  await pool.tc(["env", "--shell", "sh"]);
  const { pid } = (await pool.json(["status"]))["server"] as { pid: number };
  return {
    pool,
    baseUrl: await pool.baseUrl(),
    pid,
    took: { none: [], own: [], other: [] },
    cpuUs: { none: 0, own: 0, other: 0 },
  };
}

async function openPages(browser: Browser, { pool }: Side): Promise<Page[]> {
  const pages: Page[] = [];
  for (let count = 0; count < PAGES; count++) {
    const page = await browser.open(String((await pool.json(["ui"]))["url"]));
    await page.until("document.querySelectorAll('.account').length > 0");
    pages.push(page);
  }
  return pages;
}

/** One turn of both servers at once, with the pages at `open` or nowhere. */
async function turn(
  browser: Browser,
  sides: readonly Side[],
  open: Side | null,
): Promise<void> {
  const pages = open === null ? [] : await openPages(browser, open);
  await Promise.all(sides.map(async (side) => {
    const where = open === null ? "none" : open === side ? "own" : "other";
    const before = await cpuUs(side.pid);
    side.took[where].push(...await round(side.baseUrl));
    side.cpuUs[where] += await cpuUs(side.pid) - before;
  }));
  for (const page of pages) await page.run("location.href = 'about:blank'");
}

/** What both servers' requests took, and their processor time a request. */
function resultOf(
  sides: readonly Side[],
  where: Where,
): Readonly<Record<"p50" | "p99" | "cpu", number>> {
  const took = sides.flatMap((side) => side.took[where])
    .sort((a, b) => a - b);
  const cpu = sides.reduce((sum, side) => sum + side.cpuUs[where], 0);
  return { p50: at(took, 0.5), p99: at(took, 0.99), cpu: cpu / took.length };
}

function say(text: string): void {
  // deno-lint-ignore no-console
  console.log(text);
}

const program = findBrowser();
if (program === null) throw new Error("There is no browser here");
await using api = await startScriptedApi();
for (const name of ["work", "home", "lab"]) {
  api.account(name, { tier: "max_20x" }).limits(UNLIMITED);
}
await using first = await TcPool.of(api, { usage: { poll: false } });
await using second = await TcPool.of(api, { usage: { poll: false } });
await using browser = await Browser.start(program);
const sides = [await sideOf(first), await sideOf(second)];
await Promise.all(sides.map(({ baseUrl }) => round(baseUrl)));
for (let count = 0; count < rounds; count++) {
  say(`round ${count + 1} of ${rounds}, load ${load()}`);
  for (const open of [null, ...sides]) await turn(browser, sides, open);
}
const results = WHERE.map((where) => [where, resultOf(sides, where)] as const);
for (const [where, { p50, p99, cpu }] of results) {
  say(
    `pages at ${where.padEnd(5)}: p50 ${p50.toFixed(2)} ms, p99 ${
      p99.toFixed(2)
    } ms, ${cpu.toFixed(0)} us of processor time a request`,
  );
}
const [none, own, other] = results.map(([, result]) => result);
for (const [name, base] of [["none", none], ["other", other]] as const) {
  if (own === undefined || base === undefined) continue;
  say(
    `own against ${name}: p50 x ${(own.p50 / base.p50).toFixed(2)}, p99 x ${
      (own.p99 / base.p99).toFixed(2)
    }, processor time x ${(own.cpu / base.cpu).toFixed(2)}`,
  );
}
