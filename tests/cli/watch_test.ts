/** `tc watch` where nobody looks at a screen. */

import { match, ok, strictEqual } from "node:assert/strict";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

interface Stage extends AsyncDisposable {
  readonly api: ScriptedApi;
  readonly pool: TcPool;
}

async function stage(): Promise<Stage> {
  const stack = new AsyncDisposableStack();
  const api = stack.use(await startScriptedApi({ seed: "watch" }));
  api.account("work", { tier: "max_20x" });
  const pool = stack.use(await TcPool.of(api));
  const server = pool.command(["server", "--headless"], {
    stdout: "null",
    stderr: "null",
  }).spawn();
  stack.defer(async () => {
    await pool.tc(["stop"]);
    await server.status;
  });
  while ((await pool.tc(["status"])).code !== 0) {
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return { api, pool, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function ask(pool: TcPool): Promise<number> {
  const response = await fetch(`${await pool.baseUrl()}/v1/messages`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "anthropic-version": "2023-06-01",
      "x-claude-code-session-id": "5f2c9100-0000-4000-8000-000000000001",
    },
    body: JSON.stringify({
      model: "claude-opus-5-5",
      max_tokens: 32,
      messages: [{ role: "user", content: "hello" }],
    }),
  });
  await response.text();
  return response.status;
}

/** The program's output until `isIt`, then it is stopped. */
async function outputUntil(
  pool: TcPool,
  args: readonly string[],
  { isIt, meanwhile }: {
    readonly isIt: (text: string) => boolean;
    readonly meanwhile: () => Promise<unknown>;
  },
): Promise<string> {
  const child = pool.command(args, { stderr: "null" }).spawn();
  let text = "";
  const timer = setInterval(() => {
    meanwhile().catch(() => {});
  }, 500);
  try {
    for await (
      const piece of child.stdout.pipeThrough(new TextDecoderStream())
    ) {
      text += piece;
      if (isIt(text)) break;
    }
  } finally {
    clearInterval(timer);
    child.kill("SIGTERM");
    await child.status;
  }
  return text;
}

Deno.test({
  name: "tc watch without a terminal prints one line a request",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using scene = await stage();
    const { pool } = scene;
    const text = await outputUntil(pool, ["watch"], {
      isIt: (soFar) => soFar.includes("\n"),
      meanwhile: () => ask(pool),
    });
    const [line = ""] = text.split("\n");
    match(
      line,
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ info +request +session=5f2c91 account=work model=claude-opus-5-5 status=200 ms=\d+/,
    );
    // deno-lint-ignore no-control-regex
    ok(!/\u001b/.test(text));
  },
});

Deno.test({
  name: "tc watch --plain prints tables without a cursor",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using scene = await stage();
    const { pool } = scene;
    strictEqual(await ask(pool), 200);
    const text = await outputUntil(
      pool,
      ["watch", "--plain", "--every", "0.5"],
      {
        isIt: (soFar) => soFar.split("accounts").length > 2,
        meanwhile: () => Promise.resolve(),
      },
    );
    match(text, /● green/);
    match(text, /● work +5h /);
    match(text, /\n5?[^\n]*5f2c91/);
    // deno-lint-ignore no-control-regex
    ok(!/\u001b/.test(text));
  },
});

Deno.test("tc watch without a server says so, and what starts one", async () => {
  await using api = await startScriptedApi({ seed: "watch" });
  await using pool = await TcPool.of(api);
  const { code, stderr } = await pool.tc(["watch"]);
  strictEqual(code, 3);
  match(stderr, /Cannot reach tc on 127\.0\.0\.1:\d+: no server runs there/);
});
