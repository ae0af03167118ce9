/** While a key serves, every screen says so and how much it is. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { messageBody } from "../fixtures/demo_message.ts";
import { listening } from "../fixtures/listening.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

/** What a program prints first; it is ended then. */
async function firstText(child: Deno.ChildProcess): Promise<string> {
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  child.kill("SIGTERM");
  await reader.cancel();
  await child.stderr.cancel();
  await child.status;
  return new TextDecoder().decode(value);
}

Deno.test("status, accounts, the status line and the plain Deck say that a key is paid by the token", async () => {
  await using api = await startScriptedApi();
  api.account("plan").windows({ "5h": 1, "7d": 0.5 });
  api.account("console", { kind: "api_key" });
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  const server = pool.command(["server", "--headless"], {
    stdout: "null",
    stderr: "null",
  }).spawn();
  await listening(pool.port);
  const ask = async () => {
    const answer = await fetch(`${await pool.baseUrl()}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: messageBody({ model: "claude-opus-5-5", text: "demo:tokens 4000" }),
    });
    strictEqual(answer.status, 200, await answer.text());
  };
  const before = await pool.tc(["status"]);
  ok(!before.stdout.includes("paying"), before.stdout);
  for (let count = 0; count < 3; count++) await ask();

  const status = await pool.tc(["status"]);
  const words = /paying by token since \d\d:\d\d · \$0\.\d\d/;
  match(status.stdout, words);
  match(status.stdout, /paying by token \$0\.\d\d +·/);
  match(status.stdout, /warn +console: paying by token, \$0\.\d\d by now/);
  const watch = pool.command(["watch", "--plain"]).spawn();
  const table = await firstText(watch);
  match(table, /paying \$0\.\d\d/);
  match(table, /\$ console/);
  // On a busy machine it gives up on a slow server: the next prompt asks again.
  let line = "";
  for (let tries = 0; tries < 20 && !line.includes("paying"); tries++) {
    line = (await pool.told(["statusline"], "{}")).stdout;
  }
  match(line, /paying \$0\.\d\d/);
  match((await pool.tc(["accounts"])).stdout, /console .*paying/);

  // A start that fits several is a question to the person, not a failure.
  const many = await pool.tc(["explain", "tc_"]);
  strictEqual(many.code, 2);
  match(many.stderr, /it fits \d+ sessions or requests\. Which one\?/);
  // Who has set a limit is not told to set one.
  match(status.stdout, /tc priority console --max-cost 20\/day/);
  await pool.tc(["priority", "console", "--max-cost", "0.10/day"]);
  const limited = (await pool.tc(["status"])).stdout;
  match(limited, /\$\d\.\d\d of \$0\.10 today/);
  ok(!limited.includes("--max-cost"), limited);

  const view = await pool.json(["status"]) as {
    usage: { paid: number; worth: number | null; cost: number };
    accounts: {
      label: string;
      word: string;
      paying: { cost: number } | null;
    }[];
  };
  const key = view.accounts.find(({ label }) => label === "console");
  strictEqual(key?.word, "paying");
  ok(view.usage.paid > 0.05, `${view.usage.paid}`);
  strictEqual(view.usage.paid, key?.paying?.cost);
  strictEqual(
    view.accounts.find(({ label }) => label === "plan")?.paying,
    null,
  );
  await pool.tc(["stop"]);
  await server.status;
});

Deno.test("status, accounts, capacity, explain, the Deck and the JSON name each state alike", async () => {
  await using api = await startScriptedApi();
  for (
    const [name, used] of [["fresh", 0.1], ["full", 0.95], [
      "empty",
      1,
    ]] as const
  ) {
    api.account(name, { tier: "max_20x" }).windows({ "5h": used, "7d": 0.5 });
  }
  api.account("console", { kind: "api_key" });
  api.account("left");
  await using pool = await TcPool.of(api, { usage: { poll: true } });
  const server = pool.command(["server", "--headless"], {
    stdout: "null",
    stderr: "null",
  }).spawn();
  await listening(pool.port);
  await pool.tc(["disable", "left"]);
  type Listed = { accounts: { label: string; state: string }[] };
  const states = async () => {
    const view = await pool.json(["status"]) as unknown as Listed;
    return Object.fromEntries(
      view.accounts.map((one) => [one.label, one.state]),
    );
  };
  // The usage endpoint is asked one account after the other.
  const deadline = performance.now() + 60_000;
  while (Object.values(await states()).includes("unknown")) {
    ok(performance.now() < deadline, "the figures did not come");
  }
  const expected = {
    fresh: ["ready", "ready"],
    full: ["limited", "nearly full"],
    empty: ["spent", "used up"],
    console: ["reserve", "key, in reserve"],
    left: ["off", "off"],
  } as const;
  const shown = await states();
  const status = (await pool.tc(["status"])).stdout;
  const accounts = (await pool.tc(["accounts"])).stdout;
  const capacity = (await pool.tc(["capacity"])).stdout;
  const deck = await firstText(pool.command(["watch", "--plain"]).spawn());
  const explained = (await pool.tc(["explain"])).stdout;
  match(explained, /empty .*only if no other account can \(5h 100% used\)/);
  match(explained, /console .*only if no other account can/);
  match(explained, /left .*no: off/);
  match(explained, /fresh +yes +/);
  // The verdict on all of them: one has room. Its counts are of the same words.
  match(status, /^● green/);
  const counts = "1 nearly full, 1 in reserve, 1 used up";
  match(
    status.replaceAll(/\s+/g, " "),
    new RegExp(`1 of 5 accounts ready, ${counts}, 1 off`),
  );
  match(
    capacity.replaceAll(/\s+/g, " "),
    new RegExp(`1 of 4 accounts ready, ${counts} `),
  );
  ok(!/\b(live|benched)\b/.test(capacity), capacity);
  ok(!/console .*plan size/.test(capacity), capacity);
  match(accounts, /fresh +Max 20x +ready/);
  for (const [name, [state, words]] of Object.entries(expected)) {
    strictEqual(shown[name], state);
    const line = new RegExp(`^ *${name} .*${words}`, "m");
    match(status, line);
    match(accounts, line);
    if (name !== "left") match(capacity, line);
  }
  // In the Deck a bar says how full an account is, and words why it is closed.
  match(deck, /empty .*used up/);
  match(deck, /console .*key, in reserve/);
  await pool.tc(["stop"]);
  await server.status;
});
