/**
 * What Spend and Quota of the page do by pointer and keyboard: bars split, blocks,
 * one repository, a session opened, what plans cost, and a part of the time.
 */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { instantFromMs } from "../../src/core/time.ts";
import { databasePath, openDatabase } from "../../src/store/ledger/database.ts";
import { Ledger } from "../../src/store/ledger/ledger.ts";
import { noteWindows } from "../../src/store/ledger/window_history.ts";
import { Browser, findBrowser, type Page } from "../fixtures/browser.ts";
import { ledgerEntry } from "../fixtures/ledger_rows.ts";
import { axeFinds, clickOn } from "../fixtures/page_checks.ts";
import { HAS_POSTGRES, Postgres } from "../fixtures/postgres.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

const BROWSER = findBrowser();
const HOUR_MS = 3_600_000;
const DOLLAR = 1_000_000_000;

/** Three days of ten sessions on nine repositories; windows of two days. */
async function fill(pool: TcPool): Promise<void> {
  const { entries } = await (await pool.vault()).list();
  const { stateFolder } = pool.paths;
  await Deno.mkdir(stateFolder, { recursive: true, mode: 0o700 });
  const database = openDatabase(databasePath(stateFolder), "read_write");
  const now = Date.now();
  new Ledger(database).write(Array.from({ length: 300 }, (_, at) => {
    const endedAt = instantFromMs(now - (300 - at) * 72 * HOUR_MS / 300);
    const id = entries[at % entries.length]?.id ?? null;
    return ledgerEntry({
      startedAt: endedAt,
      endedAt,
      accountId: id,
      session: `${String(at % 10).padStart(8, "0")}-1111-4222-8333`,
      project: `/src/project-${at % 9}`,
    }, DOLLAR);
  }));
  for (let at = 0; at < 48; at++) {
    const resetsAt = Math.ceil((now - at * HOUR_MS) / (5 * HOUR_MS)) * 5 *
      HOUR_MS;
    noteWindows(
      database,
      entries.map(({ id }) => ({
        account: id,
        window: "5h",
        utilization: 1 - (at % 5) / 5,
        resetsAt,
      })),
      instantFromMs(now - at * HOUR_MS),
    );
  }
  database.close();
}

async function choose(tab: Page, index: number, value: string): Promise<void> {
  await tab.run(`(() => {
    const one = document.querySelectorAll(".filters select")[${index}];
    one.value = ${JSON.stringify(value)};
    one.dispatchEvent(new Event("change", { bubbles: true }));
  })()`);
}

async function textOf(tab: Page, selector: string): Promise<string> {
  const script = `document.querySelector(${
    JSON.stringify(selector)
  }).innerText`;
  return String(await tab.run(script)).replace(/\s+/g, " ").trim();
}

async function clean(tab: Page, place: string): Promise<void> {
  for (const [width, isDark] of [[360, true], [1_440, false]] as const) {
    await tab.size(width, 900, isDark);
    deepStrictEqual(await axeFinds(tab), [], `${place} at ${width}`);
    strictEqual(
      await tab.run("document.documentElement.scrollWidth <= innerWidth"),
      true,
      `${place} at ${width}: it is wider than its window`,
    );
  }
}

Deno.test({
  name:
    "Spend splits its bars, opens a session, keeps to a repository, and Quota zooms by pointer and by key",
  ignore: BROWSER === null,
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work", { tier: "max_20x" });
    api.account("firm", { tier: "team" });
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    await fill(pool);
    await pool.tc(["env", "--shell", "sh"]);
    await using browser = await Browser.start(BROWSER ?? "");
    const tab = await browser.open(String((await pool.json(["ui"]))["url"]));
    await tab.until("document.querySelectorAll('.account').length === 2");
    await spend(tab);
    await quota(tab);
    deepStrictEqual(tab.console, [], "no error, and no breach of its policy");
  },
});

Deno.test({
  name: "Spend keeps to one machine of a shared pool",
  ignore: BROWSER === null || !HAS_POSTGRES,
  fn: async () => {
    await using postgres = await Postgres.start();
    await using api = await startScriptedApi();
    api.account("work", { tier: "max_20x" });
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    await fill(pool);
    const now = instantFromMs(Date.now() - HOUR_MS);
    const database = openDatabase(
      databasePath(pool.paths.stateFolder),
      "read_write",
    );
    const theirs = ledgerEntry({ startedAt: now, endedAt: now }, DOLLAR);
    new Ledger(database).take(
      ["desktop", "desktop", "old-box"].map((machine, at) => ({
        ...theirs,
        record: { ...theirs.record, id: `theirs-${at}` },
        machine,
      })),
      () => {},
    );
    database.close();
    const address = await postgres.database();
    const joined = await pool.told(
      ["store", "join", "--stdin", "--name", "laptop", "--yes"],
      address,
    );
    strictEqual(joined.code, 0, joined.stderr);
    await pool.tc(["env", "--shell", "sh"]);
    await using browser = await Browser.start(BROWSER ?? "");
    const tab = await browser.open(String((await pool.json(["ui"]))["url"]));
    await tab.until("/laptop/.test(document.body.innerText)");
    await machines(tab);
    deepStrictEqual(tab.console, []);
  },
});

async function machines(tab: Page): Promise<void> {
  const requests = (count: number) =>
    tab.until(
      `document.querySelectorAll('tfoot td')[1]?.innerText === '${count}'`,
    );
  await clickOn(tab, "Spend");
  await requests(303);
  await choose(tab, 3, "this machine");
  await requests(300);
  ok(!/plans cost/.test(await textOf(tab, "main")), "plans are of all work");
  match(await textOf(tab, ".filters"), /laptop \(this one\)/);
  await choose(tab, 0, "machine");
  await choose(tab, 2, "");
  await requests(303);
  // One that has left the pool is chosen where its row is.
  await clickOn(tab, "old-box");
  await requests(1);
  strictEqual(
    await tab.run("document.querySelectorAll('.filters select')[3].value"),
    "old-box",
  );
  await clean(tab, "one machine");
  await choose(tab, 3, "");
  await requests(303);
}

async function spend(tab: Page): Promise<void> {
  await clickOn(tab, "Spend");
  await tab.until("document.querySelectorAll('.key li').length === 1");
  ok(!/Machine/.test(await textOf(tab, ".filters")), "it is alone");
  match(
    await textOf(tab, ".plans summary"),
    /^worth \$150 · plans cost \$\d+(\.\d\d)? · \d+\.\d times without firm \(Team\): price unknown$/,
  );
  await tab.run("document.querySelector('.plans').open = true");
  match(await textOf(tab, ".plans"), /work \(Max 20x\) worth \$150, cost/);
  await clean(tab, "plans");
  await choose(tab, 2, "account");
  await tab.until("document.querySelectorAll('.key li').length === 2");
  strictEqual(await textOf(tab, ".key li"), "firm $150 (50%)");
  await choose(tab, 2, "project");
  await tab.until("document.querySelectorAll('.key li').length === 8");
  match(await textOf(tab, ".key li:last-child"), /^2 others \$/);
  await clean(tab, "bars by project");
  await choose(tab, 0, "block");
  await tab.until("document.querySelector('dl.block') !== null");
  match(await textOf(tab, "dl.block"), /Estimate .* tokens, \$.* at \d\d:00/);
  await clean(tab, "blocks");

  await choose(tab, 0, "project");
  await tab.until("document.querySelectorAll('button.open').length === 9");
  await tab.run(
    "[...document.querySelectorAll('button.open')].find((one) => one.innerText === 'project-3').click()",
  );
  await tab.until("document.body.innerText.includes('Only /src/project-3')");
  await tab.until(
    "document.querySelectorAll('tfoot td')[1].innerText === '33'",
  );
  ok(!/plans cost/.test(await textOf(tab, "main")), "plans are of all work");
  await clickOn(tab, "All projects");
  await choose(tab, 0, "session");
  await tab.until("document.querySelectorAll('button.open').length === 10");
  await tab.run("document.querySelector('button.open').focus()");
  await tab.press("Enter");
  await tab.until(
    "document.querySelectorAll('section tbody tr').length === 30",
  );
  match(
    await textOf(tab, "section[aria-label^=Session]"),
    /30 requests through tc, newest first/,
  );
  await clean(tab, "a session");
  await clickOn(tab, "Back to the sessions");
  await tab.until("document.querySelectorAll('button.open').length === 10");
}

async function quota(tab: Page): Promise<void> {
  await clickOn(tab, "Quota");
  await tab.until("document.querySelectorAll('.curve').length === 2");
  const shown = () => textOf(tab, ".zoom output");
  const whole = await shown();
  match(whole, /drag over a chart to zoom$/);
  await tab.drag(".curves", 0.5, 0.505);
  strictEqual(await shown(), whole, "a click is no drag");
  await tab.drag(".curves", 0.25, 0.5);
  await tab.until(
    "!/drag over/.test(document.querySelector('.zoom').innerText)",
  );
  const dragged = await shown();
  await clean(tab, "zoomed");
  await tab.run(
    "[...document.querySelectorAll('.zoom button')][0].focus()",
  );
  await tab.press("Enter");
  await tab.until(
    `document.querySelector('.zoom output').innerText.trim() !== ${
      JSON.stringify(dragged)
    }`,
  );
  await clickOn(tab, "Later");
  await clickOn(tab, "All");
  strictEqual(await shown(), whole);

  await tab.run("document.querySelector('.filters input').click()");
  await tab.until("document.querySelectorAll('.stack').length === 2");
  await tab.until("/Lost to rebuilds/.test(document.body.innerText)");
  // Max 20x counts four times a team plan.
  match(await textOf(tab, ".key"), /^work \d+% firm \d+% unused \d+%$/);
  await tab.drag(".stack", 0.2, 0.4);
  await tab.until("!/to now/.test(document.querySelector('.zoom').innerText)");
  await clean(tab, "the pool stacked");
}
