/** The page in a real browser: what it shows, and whom it lets in. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { Browser, findBrowser } from "../fixtures/browser.ts";
import { clickOn, looksGood } from "../fixtures/page_checks.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

const BROWSER = findBrowser();

/** Where pictures are put to be looked at; empty means nowhere. */
const PICTURES = Deno.env.get("TC_TEST_PICTURES") ?? "";

async function askOnce(baseUrl: string, session: string): Promise<void> {
  const response = await fetch(`${baseUrl}/v1/messages`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-claude-code-session-id": session,
    },
    body: JSON.stringify({
      model: "claude-sonnet-5-5",
      max_tokens: 50,
      messages: [{ role: "user", content: "demo:say hi" }],
    }),
  });
  strictEqual(response.status, 200, await response.text());
}

async function linkOf(pool: TcPool): Promise<string> {
  return String((await pool.json(["ui"]))["url"]);
}

Deno.test("without a link or the key no path of the page, the API or the metrics answers", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  await pool.tc(["env", "--shell", "sh"]);
  const origin = `http://127.0.0.1:${pool.port}`;
  const statusOf = async (
    path: string,
    init: RequestInit = {},
  ): Promise<number> => {
    const response = await fetch(origin + path, {
      redirect: "manual",
      ...init,
    });
    await response.body?.cancel();
    return response.status;
  };
  const paths = [
    "/ui",
    "/ui/page.js",
    "/ui/page.css",
    "/tc/v1/status",
    "/tc/v1/watch",
    "/tc/v1/accounts",
    "/tc/v1/explain",
    "/tc/v1/ui",
    "/tc/v1/report",
    "/tc/v1/turns",
    "/tc/v1/quota",
    "/metrics",
  ];
  for (const path of paths) strictEqual(await statusOf(path), 401, path);
  const wrong = "A".repeat(43);
  strictEqual(await statusOf(`/ui/open?ticket=${wrong}`), 401);
  const url = await linkOf(pool);
  const cross = { headers: { "sec-fetch-site": "cross-site" } };
  strictEqual(await statusOf(url.slice(origin.length), cross), 403);
  const opened = await fetch(url, { redirect: "manual" });
  await opened.body?.cancel();
  strictEqual(opened.status, 303);
  const again = await fetch(url, { redirect: "manual" });
  match(await again.text(), /This link was used .*<code>tc ui<\/code>/);
  const bare = await fetch(`${origin}/ui`, {
    headers: { accept: "text/html" },
  });
  strictEqual(bare.status, 401);
  match(await bare.text(), /was not let in yet.*<code>tc ui<\/code>/);
  strictEqual(again.status, 401, "a link works once");
  const line = opened.headers.get("set-cookie") ?? "";
  match(line, /^tc_ui_\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  const cookie = line.split(";", 1)[0] ?? "";
  const key = (opened.headers.get("location") ?? "").split("#")[1] ?? "";
  const both = { cookie, "x-tc-page": key };
  strictEqual(await statusOf("/ui", { headers: { cookie } }), 200);
  strictEqual(await statusOf("/tc/v1/status", { headers: both }), 200);
  const table: readonly (readonly [string, string, HeadersInit, number])[] = [
    ["GET", "/tc/v1/status", { cookie }, 401],
    ["GET", "/tc/v1/status", { "x-tc-page": key }, 401],
    ["GET", "/tc/v1/status", { cookie, "x-tc-page": wrong }, 401],
    ["POST", "/v1/messages", both, 401],
    ["GET", "/v1/models", both, 401],
    ["GET", "/metrics", both, 401],
    ["POST", "/tc/v1/stop", both, 401],
    ["POST", "/tc/v1/call", both, 401],
    ["POST", "/tc/v1/ui", both, 401],
    ["DELETE", "/tc/v1/accounts/work", both, 401],
    ["GET", "/tc/v1/status", { ...both, origin: "http://evil.example" }, 403],
    ["GET", "/tc/v1/status", {
      ...both,
      origin: `http://127.0.0.1:${pool.port + 1}`,
    }, 403],
  ];
  for (const [method, path, headers, status] of table) {
    const name = `${method} ${path} ${JSON.stringify(headers)}`;
    strictEqual(await statusOf(path, { method, headers }), status, name);
  }
});

Deno.test({
  name:
    "the page shows the pool in Chromium, keeps its policy, and hears of a change before it asks",
  ignore: BROWSER === null,
  fn: async () => {
    await using api = await startScriptedApi();
    for (const name of ["work", "home", "spare"]) api.account(name);
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    await pool.tc(["env", "--shell", "sh"]);
    const baseUrl = await pool.baseUrl();
    for (let n = 0; n < 4; n++) await askOnce(baseUrl, `session-${n}-0000`);
    await using browser = await Browser.start(BROWSER ?? "");
    const tab = await browser.open(await linkOf(pool));
    await tab.until("document.querySelectorAll('.account').length === 3");
    const origin = `http://127.0.0.1:${pool.port}`;
    strictEqual(await tab.run("location.href"), `${origin}/ui`);
    strictEqual(await tab.run("document.cookie"), "");
    const text = String(await tab.run("document.body.innerText"));
    for (const part of ["work", "home", "spare", "5h", "refills", "Ready"]) {
      ok(text.includes(part), `${part} in\n${text}`);
    }
    // It asks by itself every ten seconds; an event is faster.
    const before = Number(await tab.run(REQUESTS));
    await askOnce(baseUrl, "session-9-0000");
    const startedMs = performance.now();
    await tab.until(`${REQUESTS} === ${before + 1}`);
    ok(performance.now() - startedMs < 5_000);
    await clickOn(tab, "Pin work");
    await tab.until("document.body.innerText.includes('Unpin')");
    strictEqual(
      (await pool.json(["status"]) as { server: { pin: string } }).server.pin,
      "work",
    );
    await clickOn(tab, "Quota");
    await tab.until("document.body.innerText.includes('Quota')");
    // A window is looked at every 15 seconds.
    for (let tries = 0; tries < 45; tries++) {
      const drawn = await tab.run("document.querySelectorAll('.curve').length");
      if (Number(drawn) >= 2) break;
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      await clickOn(tab, "Now");
      await clickOn(tab, "Quota");
    }
    await tab.until("document.querySelectorAll('.curve').length >= 2");
    match(String(await tab.run("document.body.innerText")), /5h \d+%/);
    await clickOn(tab, "Decisions");
    await tab.until("document.body.innerText.includes('Of the last')");
    await clickOn(tab, "Spend");
    await tab.until("document.querySelectorAll('tfoot td').length === 10");
    // The row of today has what the ledger has written by now.
    const all = "document.querySelectorAll('tfoot td')[1].innerText";
    for (let tries = 0; tries < 30; tries++) {
      if (await tab.run(all) === "5") break;
      await clickOn(tab, "Now");
      await clickOn(tab, "Spend");
      await tab.until("document.querySelectorAll('tfoot td').length === 10");
    }
    strictEqual(await tab.run(all), "5");
    await looksGood(tab, { pictures: PICTURES });
    const foreign = tab.requests.filter((url) =>
      !url.startsWith(`${origin}/`) && !url.startsWith("data:")
    );
    deepStrictEqual(foreign, [], "no request leaves the origin");
    deepStrictEqual(tab.console, [], "nothing is on the console");
    const key = baseUrl.slice(baseUrl.lastIndexOf("/") + 1);
    const html = String(
      await tab.run("document.documentElement.outerHTML"),
    );
    ok(!html.includes(key), "the local key is in no page");
  },
});

/** The number of requests in the head of the page. */
const REQUESTS = "Number(/(\\d+) requests/.exec(document.body.innerText)?.[1])";
