/** `tc prices`, a price that comes later, and the prices of the real client. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { costNanodollars } from "../../src/core/pricing.ts";
import { LIST_BOOK } from "../fixtures/list_book.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import {
  ClaudeHome,
  type ClaudeVersion,
  testEachClaude,
} from "../fixtures/claude_code.ts";
import { TcPool } from "../fixtures/tc_process.ts";

const SETTINGS = { usage: { poll: false } };

/** A new model in LiteLLM's form. */
const TABLE = JSON.stringify({
  "claude-opus-6": {
    litellm_provider: "anthropic",
    input_cost_per_token: 4e-06,
    output_cost_per_token: 2e-05,
  },
});

async function ask(pool: TcPool): Promise<void> {
  const response = await fetch(`${await pool.baseUrl()}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: "claude-opus-6",
      max_tokens: 50,
      messages: [{ role: "user", content: "demo:say hi" }],
    }),
  });
  strictEqual(response.status, 200, await response.text());
}

interface Report {
  readonly total: {
    readonly costUsd: number | null;
    readonly unpriced: number;
  };
  readonly pricesAsOf: string;
}

async function report(pool: TcPool): Promise<Report> {
  return await pool.json(["report", "model"]) as unknown as Report;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!await isSo()) {
    if (performance.now() > deadline) throw new Error("it never came to be");
    await new Promise((wake) => setTimeout(wake, 200));
  }
}

Deno.test("tc prices lists the table with its date", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api, {
    ...SETTINGS,
    pricing: { opus: [1, 2] },
  });
  const { stdout } = await pool.tc(["prices"]);
  match(stdout, /^list prices of 20\d\d-\d\d-\d\d, built in\n/);
  match(stdout, /fable-5-2 +8 +40 +0\.2 +10 +16\n/);
  match(stdout, /haiku-5-5 .*\n {2}above 100k +0\.5 +2\.5/);
  match(stdout, /sonnet-5-5 .*2026-10-07\n/);
  match(stdout, /your own: opus {2}input 1, output 2/);
  const json = await pool.json(["prices"]);
  strictEqual(json["schema"], "tc.prices/v1");
});

Deno.test("a price that is loaded later counts at once, with a server and without", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  let served = 0;
  await using prices = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => {
      served += 1;
      return new Response(TABLE);
    },
  );
  const place = `http://127.0.0.1:${prices.addr.port}/prices.json`;
  for (const isRunning of [true, false]) {
    await using pool = await TcPool.of(api, {
      ...SETTINGS,
      update: { prices: place },
    });
    await pool.tc(["env", "--shell", "sh"]);
    await ask(pool);
    await until(async () => (await report(pool)).total.unpriced === 1);
    strictEqual((await report(pool)).total.costUsd, null);
    if (!isRunning) await pool.tc(["stop"]);
    const dry = await pool.tc(["prices", "update", "--dry-run"]);
    match(dry.stdout, /1 prices of .*: 1 new \(opus-6\)/, dry.stderr);
    strictEqual((await report(pool)).total.unpriced, 1);
    const update = await pool.tc(["prices", "update"]);
    strictEqual(update.code, 0, update.stderr);
    match(
      update.stderr,
      isRunning
        ? /the running server uses them/
        : /requests that had no price and have one now: 1/,
    );
    await until(async () => (await report(pool)).total.unpriced === 0);
    ok(((await report(pool)).total.costUsd ?? 0) > 0);
    if (!isRunning) continue;
    // And for what comes from here on.
    await ask(pool);
    await until(async () => {
      const { total } = await report(pool);
      return total.unpriced === 0 && (total.costUsd ?? 0) > 0;
    });
  }
  strictEqual(served, 4);
});

Deno.test("a table that cannot be had or cannot be right changes nothing", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api, SETTINGS);
  const file = pool.folder.join("prices.json");
  const cases = [
    [file, /No such file/],
    [pool.folder.path, /it is not a regular file/],
    ["http://example.com/p.json", /it must be an https address/],
    ["http://127.0.0.1:1/p.json", /it cannot be reached/],
  ] as const;
  for (const [place, why] of cases) {
    const { code, stderr } = await pool.tc([
      "prices",
      "update",
      "--from",
      place,
    ]);
    ok(code !== 0, place);
    match(stderr, why);
    ok(!/bug in tc/.test(stderr), stderr);
  }
  await Deno.writeTextFile(file, "{}");
  const wrong = await pool.tc(["prices", "update", "--from", file]);
  strictEqual(wrong.code, 1);
  match(wrong.stderr, /it has no price of an Anthropic model/);
  match((await pool.tc(["prices"])).stdout, /built in/);
});

/** The models that the client offers by itself, or charges for by name. */
const CLIENT_MODELS = [
  "claude-fable-5-2",
  "claude-fable-5-1",
  "claude-opus-5-5",
  "claude-opus-5",
  "claude-sonnet-5-5",
  "claude-sonnet-5",
  "claude-haiku-5-5",
  "claude-haiku-4-5",
];

const USAGE = {
  input: 1_000,
  cacheRead: 50_000,
  cacheWrite5m: 3_000,
  cacheWrite1h: 7_000,
  output: 2_000,
};

/** The dollars that the client counts for one answer of `model`. */
async function clientCost(home: ClaudeHome, model: string): Promise<number> {
  const usage = {
    input_tokens: USAGE.input,
    cache_read_input_tokens: USAGE.cacheRead,
    cache_creation_input_tokens: USAGE.cacheWrite5m + USAGE.cacheWrite1h,
    cache_creation: {
      ephemeral_5m_input_tokens: USAGE.cacheWrite5m,
      ephemeral_1h_input_tokens: USAGE.cacheWrite1h,
    },
    output_tokens: USAGE.output,
  };
  const message = {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage,
  };
  const events = [
    { type: "message_start", message },
    {
      type: "content_block_start",
      index: 0,
      content_block: { type: "text", text: "" },
    },
    {
      type: "content_block_delta",
      index: 0,
      delta: { type: "text_delta", text: "hi" },
    },
    { type: "content_block_stop", index: 0 },
    {
      type: "message_delta",
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage,
    },
    { type: "message_stop" },
  ];
  const body = events.map((event) =>
    `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`
  ).join("");
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      await request.text();
      return new Response(body, {
        headers: { "content-type": "text/event-stream" },
      });
    },
  );
  const { code, stdout, stderr } = await home.run(
    ["-p", "x", "--model", model, "--output-format", "json"],
    {
      ANTHROPIC_BASE_URL: `http://127.0.0.1:${server.addr.port}`,
      ANTHROPIC_AUTH_TOKEN: "none",
    },
  );
  strictEqual(code, 0, stderr);
  return JSON.parse(stdout).total_cost_usd;
}

testEachClaude(
  "what tc counts for the client's models is what the client counts",
  async (version: ClaudeVersion) => {
    await using home = await ClaudeHome.make(version);
    for (const model of CLIENT_MODELS) {
      const theirs = await clientCost(home, model);
      const ours = costNanodollars(
        USAGE,
        { model, at: Date.now() },
        LIST_BOOK,
      );
      const dollarsApart = Math.abs((ours ?? 0) / 1e9 - theirs);
      ok(dollarsApart < 1e-9, `${model}: ${ours} and ${theirs * 1e9}`);
    }
  },
);
