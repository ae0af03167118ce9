/** The commands about accounts, beside a running server and without one. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import type { AccountsView } from "../../src/control/protocol.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

const KEY = "sk-ant-api03-FAKE-key-of-tests";

async function accounts(pool: TcPool): Promise<AccountsView> {
  return JSON.parse((await pool.tc(["accounts", "--json"])).stdout);
}

/** Starts a server as a child, which ends with the test. */
async function serve(pool: TcPool): Promise<AsyncDisposable> {
  const child = pool.command(["server", "--headless"], {
    stdout: "null",
    stderr: "null",
  }).spawn();
  for (let tries = 0; tries < 200; tries++) {
    if ((await pool.tc(["status"])).code === 0) {
      return {
        async [Symbol.asyncDispose](): Promise<void> {
          await pool.tc(["stop"], { TC_TIMEOUTS_DRAIN_MS: "1000" });
          await child.status;
        },
      };
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("It does not serve");
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    if (await isTrue()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("It never came true");
}

Deno.test("accounts are added, changed and removed in a running server", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_20x" });
  api.account("home");
  await using pool = await TcPool.of(api);
  await using _server = await serve(pool);
  const before = await accounts(pool);
  ok(before.isLive);
  deepStrictEqual(before.accounts.map(({ label }) => label).sort(), [
    "home",
    "work",
  ]);

  const added = await pool.told([
    "login",
    "--api",
    "--api-key-stdin",
    "--name",
    "key",
    "--json",
  ], `${api.account("console", { kind: "api_key" }).apiKey}\n`);
  strictEqual(added.code, 0, added.stderr);
  // The provider is asked first, once and free of charge.
  const unknown = await pool.told([
    "login",
    "--api",
    "--api-key-stdin",
    "--name",
    "other",
  ], KEY);
  strictEqual(unknown.code, 65);
  match(unknown.stderr, /the provider does not know it/);
  strictEqual(api.requests("/v1/models").length, 2);
  ok(!(await accounts(pool)).accounts.some(({ label }) => label === "other"));
  strictEqual(JSON.parse(added.stdout).isLive, true);

  strictEqual((await pool.tc(["rename", "home", "flat"])).code, 0);
  strictEqual((await pool.tc(["disable", "flat"])).code, 0);
  strictEqual((await pool.tc(["priority", "work", "-3"])).code, 0);
  const limits = ["--max-requests", "4", "--max-used", "80%"];
  const limited = await pool.tc(["priority", "work", ...limits]);
  strictEqual(limited.code, 0, limited.stderr);
  strictEqual(
    limited.stdout,
    "work: at most 4 requests, new work until a window is 80% used.\n",
  );

  const after = await accounts(pool);
  const row = (label: string) =>
    after.accounts.find((account) => account.label === label);
  strictEqual(row("flat")?.live?.word, "off");
  strictEqual(row("key")?.live?.word, "reserve");
  const work = row("work");
  deepStrictEqual(
    [work?.priority, work?.maxInFlight, work?.capUtilization],
    [-3, 4, 0.8],
  );
  // The pool itself has it, and not only the file.
  const status = JSON.parse((await pool.tc(["status", "--json"])).stdout);
  const live = status.accounts.find((a: { label: string }) =>
    a.label === "work"
  );
  strictEqual(live.priority, -3);

  strictEqual((await pool.tc(["remove", "key", "--yes"])).code, 0);
  deepStrictEqual(
    (await accounts(pool)).accounts.map(({ label }) => label).sort(),
    ["flat", "work"],
  );
  const taken = await pool.tc(["rename", "flat", "work"]);
  strictEqual(taken.code, 2);
  match(taken.stderr, /another one has that name/);
});

Deno.test("a valid edit of the config by hand is applied, a broken one is not", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  api.account("home");
  await using pool = await TcPool.of(api);
  await using _server = await serve(pool);
  const { configFile } = pool.paths;
  strictEqual((await pool.tc(["disable", "home"])).code, 0);
  const text = await Deno.readTextFile(configFile);
  const document = JSON.parse(text);
  const rows = document.accounts.map((row: { name: string }) => ({
    ...row,
    priority: row.name === "work" ? 7 : 0,
  }));
  await Deno.writeTextFile(
    configFile,
    JSON.stringify({ ...document, accounts: rows }),
  );
  await until(async () => {
    const { accounts: live } = await accounts(pool);
    return live.find(({ label }) => label === "work")?.live?.priority === 7;
  });
  const home = (await accounts(pool)).accounts.find(({ label }) =>
    label === "home"
  );
  strictEqual(home?.live?.word, "off");

  // A stump, as an editor may leave it for a moment: the server goes on.
  await Deno.writeTextFile(configFile, text.slice(0, 40));
  await new Promise((resolve) => setTimeout(resolve, 600));
  const status = await fetch(`${await pool.baseUrl()}/tc/v1/status`);
  strictEqual((await status.json()).accounts.length, 2);
  // A row that is taken out is no longer served; its credential stays.
  const left = rows.filter((row: { name: string }) => row.name !== "home");
  await Deno.writeTextFile(
    configFile,
    JSON.stringify({ ...document, accounts: left }),
  );
  await until(async () => (await accounts(pool)).accounts.length === 1);
  strictEqual((await accounts(pool)).unlisted.length, 1);
});

Deno.test("remove is refused while a request runs, unless it is forced", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  api.set({ tokensPerSecond: 5 });
  await using pool = await TcPool.of(api);
  await using _server = await serve(pool);
  const stop = new AbortController();
  const response = await fetch(`${await pool.baseUrl()}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: "claude-sonnet-5-5",
      max_tokens: 500,
      stream: true,
      messages: [{ role: "user", content: "tell me a long story" }],
    }),
    signal: stop.signal,
  });
  strictEqual(response.status, 200);
  const refused = await pool.tc(["remove", "work", "--yes"]);
  strictEqual(refused.code, 75, refused.stdout);
  match(refused.stderr, /1 request runs on it/);
  strictEqual((await accounts(pool)).accounts.length, 1);
  const forced = await pool.tc(["remove", "work", "--yes", "--force"]);
  strictEqual(forced.code, 0, forced.stderr);
  deepStrictEqual((await accounts(pool)).accounts, []);
  stop.abort();
  await response.body?.cancel().catch(() => {});
});

Deno.test("without a server the same commands change the files", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  await using pool = await TcPool.of(api);
  strictEqual((await pool.tc(["disable", "work"])).code, 0);
  const view = await accounts(pool);
  strictEqual(view.isLive, false);
  strictEqual(view.accounts[0]?.enabled, false);
  strictEqual((await pool.tc(["enable", "work"])).code, 0);
  strictEqual((await accounts(pool)).accounts[0]?.enabled, true);
  const dry = await pool.tc(["remove", "work", "--dry-run"]);
  match(dry.stderr, /Would delete its credential/);
  const asked = await pool.tc(["remove", "work"]);
  strictEqual(asked.code, 2);
  match(asked.stderr, /there is no terminal/);
  strictEqual((await accounts(pool)).accounts.length, 1);
  strictEqual((await pool.tc(["remove", "work", "--yes"])).code, 0);
  deepStrictEqual((await accounts(pool)).accounts, []);
  strictEqual((await pool.tc(["remove", "work", "--yes"])).code, 2);
  strictEqual((await pool.tc(["reload"])).code, 3);
});

Deno.test("a key is never taken from an argument, and only whole keys are accepted", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const argued = await pool.tc(["login", "--api", "--api-key", KEY]);
  strictEqual(argued.code, 2);
  ok(!(argued.stderr + argued.stdout).includes(KEY));
  for (
    const text of ["", "sk-ant-ort01-FAKE-12345678", "hello there", "\n\n"]
  ) {
    const end = await pool.told(["login", "--api", "--api-key-stdin"], text);
    strictEqual(end.code, 2, text);
    ok(!end.stderr.includes("FAKE"), end.stderr);
  }
  const silent = await pool.tc(["login", "--api"]);
  strictEqual(silent.code, 4);
  deepStrictEqual((await accounts(pool)).accounts, []);
});

/** Returns `names` in the order of the lines that begin with them. */
function listed(text: string, names: readonly string[]): readonly string[] {
  return text.split("\n").flatMap((line) => {
    const [word = ""] = line.replace(/^[^\p{L}]+/u, "").split(/\s/);
    return names.includes(word) ? [word] : [];
  });
}

Deno.test("every screen lists the accounts in the order that the person set", async () => {
  await using api = await startScriptedApi();
  const names = ["key-10", "anna", "Work", "key-2", "home"];
  for (const name of names) api.account(name).windows({ "5h": 0.2, "7d": 0.3 });
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  const order = async () => listed((await pool.tc(["accounts"])).stdout, names);
  // Nothing was set: by name.
  const byName = ["anna", "home", "key-2", "key-10", "Work"];
  deepStrictEqual(await order(), byName);
  await pool.tc(["rename", "home", "home"]);
  deepStrictEqual(await order(), byName);

  await using _server = await serve(pool);
  const screens = async (expected: readonly string[]) => {
    for (
      const args of [
        ["status"],
        ["accounts"],
        ["capacity"],
        ["explain"],
        ["swap", "list"],
        ["prices", "plan"],
      ]
    ) {
      const { stdout } = await pool.tc(args);
      deepStrictEqual(listed(stdout, names), expected, `${args}\n${stdout}`);
    }
    const watch = pool.command(["watch", "--plain"]).spawn();
    const reader = watch.stdout.getReader();
    const { value } = await reader.read();
    watch.kill("SIGTERM");
    await reader.cancel();
    await watch.stderr.cancel();
    await watch.status;
    const deck = new TextDecoder().decode(value);
    deepStrictEqual(listed(deck, names), expected, deck);
  };
  await screens(byName);
  // The list of the config says more than names.
  const config = JSON.parse(await Deno.readTextFile(pool.paths.configFile));
  const mine = ["Work", "key-10", "home", "anna", "key-2"];
  config.accounts.sort((a: { name: string }, b: { name: string }) =>
    mine.indexOf(a.name) - mine.indexOf(b.name)
  );
  await Deno.writeTextFile(pool.paths.configFile, JSON.stringify(config));
  // The server may have seen it by itself.
  match(
    (await pool.tc(["reload"])).stdout,
    /order of the accounts changed|Nothing has changed/,
  );
  await screens(mine);
  // A priority says more than the list.
  await pool.tc(["priority", "home", "-1"]);
  await pool.tc(["priority", "Work", "2"]);
  await screens(["home", "key-10", "anna", "key-2", "Work"]);
});
