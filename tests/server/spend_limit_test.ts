/** Limits in dollars hold exactly, also with requests in flight, and last. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { messageBody } from "../fixtures/demo_message.ts";
import { listening } from "../fixtures/listening.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

type Limited = {
  paidLimit: { paid: number; reserved: number; max: number } | null;
  accounts: {
    label: string;
    state: string;
    limit: { paid: number; reserved: number; max: number } | null;
  }[];
};

async function serve(pool: TcPool): Promise<Deno.ChildProcess> {
  const server = pool.command(["server", "--headless"], {
    stdout: "null",
    stderr: "null",
  }).spawn();
  await listening(pool.port);
  return server;
}

Deno.test("fifty requests at once stay within a key's dollars a week, and a restart remembers them", async () => {
  await using api = await startScriptedApi();
  api.account("console", { kind: "api_key" });
  await using pool = await TcPool.of(api, {
    usage: { poll: false },
    hold: { maxMs: 5_000 },
  });
  const set = await pool.tc(["priority", "console", "--max-cost", "1/week"]);
  match(set.stdout, /console: at most \$1\/week\./);
  let server = await serve(pool);
  const url = `${await pool.baseUrl()}/v1/messages`;
  // Each costs about 8 cents, and 10 at most.
  const ask = async () => {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: messageBody({
        model: "claude-opus-5-5",
        text: "demo:tokens 4000",
        tokensMax: 5_000,
      }),
    });
    return { status: answer.status, text: await answer.text() };
  };
  const answers = await Promise.all(Array.from({ length: 50 }, ask));
  // A held stream may begin, and end with the refusal.
  const served = answers.filter(({ text }) => text.includes("message_stop"))
    .length;
  const view = await pool.json(["status"]) as unknown as Limited;
  const { limit } = view.accounts[0] ?? { limit: null };
  ok(limit !== null && limit.paid <= 1, `${limit?.paid}`);
  ok(limit.paid > 0.85, `${limit.paid}`);
  strictEqual(limit.reserved, 0);
  ok(served >= 10 && served <= 12, `${served}`);
  const refused = answers.find(({ text }) => text.includes("rate_limit"));
  match(
    refused?.text ?? "",
    /console: your limit of \$1 a week: \$0\.\d\d left, and this request may cost \$0\.10/,
  );
  const status = (await pool.tc(["status"])).stdout;
  match(status, /\$0\.\d\d of \$1 this week/);
  match((await pool.tc(["accounts", "-v"])).stdout, /at most \$1\/week/);

  await pool.tc(["stop"]);
  await server.status;
  server = await serve(pool);
  const after = await pool.json(["status"]) as unknown as Limited;
  strictEqual(after.accounts[0]?.limit?.paid, limit.paid);
  strictEqual((await ask()).status, 429);

  // A higher limit serves at once, and the one of the pool refuses again.
  await pool.tc(["priority", "console", "--max-cost", "50/week"]);
  strictEqual((await ask()).status, 200);
  await pool.tc(["config", "set", "paid.max", "1/month"]);
  await pool.tc(["reload"]);
  const over = await ask();
  strictEqual(over.status, 429);
  match(over.text, /paid\.max, \$1 a month/);
  const capped = await pool.json(["status"]) as unknown as Limited;
  strictEqual(capped.paidLimit?.max, 1);
  const report = await pool.json(["report", "account"]) as unknown as {
    total: { paidUsd: number; worthUsd: number | null };
  };
  ok(Math.abs(report.total.paidUsd - (capped.paidLimit?.paid ?? 0)) < 1e-9);
  strictEqual(report.total.worthUsd, null);
  // A model without a price cannot be held within dollars.
  const unpriced = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: messageBody({ model: "claude-nova-9" }),
  });
  strictEqual(unpriced.status, 429);
  match(await unpriced.text(), /what it may cost is not known/);
  await pool.tc(["stop"]);
  await server.status;
});

Deno.test("a limit in dollars is refused with its form, and shown where none is given", async () => {
  await using api = await startScriptedApi();
  api.account("console", { kind: "api_key" });
  await using pool = await TcPool.of(api);
  const wrong = await pool.tc(["priority", "console", "--max-cost", "20"]);
  strictEqual(wrong.code, 2);
  match(wrong.stderr, /dollars a day, week or month/);
  await pool.tc(["priority", "console", "--max-cost", "$20.5/week"]);
  match(
    (await pool.tc(["priority", "console"])).stdout,
    /console: priority 0, any number of requests, no limit on use, at most \$20\.5\/week\./,
  );
  await pool.tc(["priority", "console", "--max-cost", "none"]);
  match((await pool.tc(["priority", "console"])).stdout, /no limit in dollars/);
  const bad = await pool.tc(["config", "set", "paid.max", "many"]);
  match(bad.stderr, /dollars a day, week or month such as 50\/month/);
});
