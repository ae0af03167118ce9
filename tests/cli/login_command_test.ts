/** `tc login` against the demo's provider, in a real browser and by paste. */

import { match, ok, strictEqual } from "node:assert/strict";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { accountData } from "../../src/demo/demo_setup.ts";
import { findBrowser } from "../fixtures/browser.ts";
import { report } from "../fixtures/report.ts";
import { TcPool } from "../fixtures/tc_process.ts";

async function labels(pool: TcPool): Promise<readonly string[]> {
  const { entries } = await (await pool.vault()).list();
  return entries.map(({ label }) => label).sort();
}

/** A pool without accounts on a provider that has one. */
async function emptyPool(api: ScriptedApi): Promise<TcPool> {
  const pool = await TcPool.of(api);
  api.account("ada", { tier: "max_20x", email: "ada@demo.example" });
  api.set({ signsInAtOnce: true });
  return pool;
}

Deno.test("tc login in headless Chromium adds the account, with its plan", async () => {
  const browser = findBrowser();
  if (browser === null) {
    report("skipped: there is no Chromium on this machine");
    return;
  }
  await using api = await startScriptedApi();
  await using pool = await emptyPool(api);
  const script = pool.folder.join("browser.sh");
  const seen = pool.folder.join("page.html");
  await Deno.writeTextFile(
    script,
    `#!/bin/sh\nexec ${browser} --headless --no-sandbox --disable-gpu ` +
      `--user-data-dir='${pool.folder.join("profile")}' ` +
      `--dump-dom "$1" >'${seen}' 2>/dev/null\n`,
    { mode: 0o755 },
  );
  const end = await pool.tc(["login", "--json"], { BROWSER: script });
  strictEqual(end.code, 0, end.stderr);
  const { result, account } = JSON.parse(end.stdout);
  strictEqual(result, "added");
  strictEqual(account.label, "ada@demo.example");
  strictEqual(account.tier, "max_20x");
  match(end.stderr, /contested/);
  // The page that the person sees at the end.
  for (let tries = 0; tries < 100; tries++) {
    if ((await Deno.readTextFile(seen)).includes("</html>")) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  match(await Deno.readTextFile(seen), /tc has your answer/);

  const again = await pool.tc(["login", "--json"], { BROWSER: script });
  strictEqual(JSON.parse(again.stdout).result, "updated");
  ok(!again.stderr.includes("contested"), "the notice is shown once");
});

Deno.test("tc login --no-browser takes the pasted code", async () => {
  await using api = await startScriptedApi();
  await using pool = await emptyPool(api);
  const child = pool.command(
    ["login", "--no-browser", "--name", "ada", "--json"],
    { stdin: "piped" },
  ).spawn();
  const stderr = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let shown = "";
  while (!/https?:\S+state=\S+/.test(shown)) {
    const { value, done } = await stderr.read();
    if (done) throw new Error(`It ended: ${shown}`);
    shown += value;
  }
  const [address = ""] = /https?:\S+/.exec(shown) ?? [];
  const page = await (await fetch(address)).text();
  const [, code = ""] = /<code>([^<]+)<\/code>/.exec(page) ?? [];
  const writer = child.stdin.getWriter();
  await writer.write(
    new TextEncoder().encode(`nonsense with blanks\n${code}\n`),
  );
  await writer.close();
  const stdout = await new Response(child.stdout).text();
  for (;;) if ((await stderr.read()).done) break;
  strictEqual((await child.status).code, 0, shown);
  strictEqual(JSON.parse(stdout).account.label, "ada");
  ok((await labels(pool)).includes("ada"));
});

Deno.test("tc login ends with 130 when nobody pastes, and adds nothing", async () => {
  await using api = await startScriptedApi();
  await using pool = await emptyPool(api);
  const end = await pool.tc(["login", "--no-browser"]);
  strictEqual(end.code, 130, end.stderr);
  match(end.stderr, /cancelled/);
  strictEqual((await labels(pool)).length, 0);
});

Deno.test("tc login --account refuses another person, with exit 4", async () => {
  await using api = await startScriptedApi();
  api.account("bob");
  await using pool = await emptyPool(api);
  const before = await labels(pool);
  const child = pool.command(["login", "--no-browser", "--account", "bob"], {
    stdin: "piped",
  }).spawn();
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let shown = "";
  while (!/state=\S+\s/.test(shown)) shown += (await reader.read()).value ?? "";
  const [address = ""] = /https?:\S+/.exec(shown) ?? [];
  // The page offers bob first, and somebody else signs in.
  const url = new URL(address);
  url.searchParams.delete("login_hint");
  url.pathname += "/allow";
  url.searchParams.set("demo_account", "ada");
  const page = await (await fetch(url)).text();
  const [, code = ""] = /<code>([^<]+)<\/code>/.exec(page) ?? [];
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`${code}\n`));
  await writer.close();
  await child.stdout.cancel();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    shown += value;
  }
  strictEqual((await child.status).code, 4, shown);
  match(shown, /signed in instead of/);
  strictEqual(String(await labels(pool)), String(before));
});

Deno.test("tc login refuses a second name for a key, and says how to rename it", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const account = api.account("ada", { kind: "api_key" });
  const { credential } = accountData(account);
  const key = credential.kind === "api_key" ? credential.key.reveal() : "";
  const add = async (name: string) => {
    const child = pool.command(
      ["login", "--api", "--api-key-stdin", "--name", name],
      { stdin: "piped" },
    ).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(`${key}\n`));
    await writer.close();
    const { code, stderr } = await child.output();
    return { code, stderr: new TextDecoder().decode(stderr) };
  };
  strictEqual((await add("first")).code, 0);
  const second = await add("second");
  strictEqual(second.code, 2);
  match(second.stderr, /the pool has that key already, as first/);
  match(second.stderr, /tc rename first second/);
  ok((await labels(pool)).includes("first"));
});
