/** `tc login --backend URL`: a third party is added, reached and never first. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { listening } from "../fixtures/listening.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

const KEY = "third-party-FAKE-key";
const LATER_KEY = "third-party-FAKE-later";

Deno.test("a backend gets requests at its path, under its model name, with its key", async () => {
  const seen: string[] = [];
  await using backend = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    async (request) => {
      const { pathname } = new URL(request.url);
      const { model } = await request.json();
      const { headers } = request;
      seen.push(
        `${pathname} ${model} ${headers.get("authorization")} ${
          headers.get("x-api-key")
        }`,
      );
      return Response.json({
        id: "msg_1",
        type: "message",
        role: "assistant",
        model,
        content: [],
        stop_reason: "end_turn",
        usage: { input_tokens: 3, output_tokens: 1 },
      });
    },
  );
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const url = `http://127.0.0.1:${backend.addr.port}/anthropic/`;
  const added = await pool.told([
    "login",
    "--backend",
    url,
    "--bearer",
    "--model",
    "claude-sonnet-4-5=their-large",
    "--model",
    "claude-haiku-4-5=their-small",
    "--api-key-stdin",
    "--name",
    "third",
  ], `${KEY}\n`);
  strictEqual(added.code, 0, added.stderr);
  match(added.stdout, /^Added third, a backend at http:.*\/anthropic\.$/m);
  const file = await Deno.readTextFile(pool.paths.configFile);
  ok(!file.includes(KEY));
  const [row] = JSON.parse(file).accounts;
  deepStrictEqual(row.modelMap, {
    "claude-sonnet-4-5": "their-large",
    "claude-haiku-4-5": "their-small",
  });

  // Another key goes the same way.
  const renewed = await pool.told([
    "login",
    "--api",
    "--api-key-stdin",
    "--account",
    "third",
  ], `${LATER_KEY}\n`);
  strictEqual(renewed.code, 0, renewed.stderr);

  const server = pool.command(["server", "--headless"], {
    stdout: "null",
    stderr: "null",
  }).spawn();
  await listening(pool.port);
  try {
    const answer = await fetch(`${await pool.baseUrl()}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        model: "claude-sonnet-4-5",
        max_tokens: 5,
        messages: [{ role: "user", content: "hi" }],
      }),
    });
    strictEqual(answer.status, 200, await answer.text());
    deepStrictEqual(seen, [
      `/anthropic/v1/messages their-large Bearer ${LATER_KEY} null`,
    ]);
  } finally {
    await pool.tc(["stop"]);
    await server.status;
  }
});

Deno.test("tc login --backend refuses what would leak a key or cannot work", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  for (
    const [args, words] of [
      [["--backend", "api.example.com"], /must be an https URL/],
      [["--backend", "http://api.example.com"], /cross the network in clear/],
      [["--backend", "https://a:b@api.example.com"], /a password in it/],
      [["--backend", "https://api.example.com?x=1"], /neither \? nor #/],
      [["--backend", "https://api.example.com", "--model", "a"], /two names/],
      [["--backend", "https://api.example.com", "--api"], /Cannot combine/],
      [["--bearer"], /about a backend/],
    ] as const
  ) {
    const { code, stderr } = await pool.told([
      "login",
      ...args,
      "--api-key-stdin",
    ], KEY);
    strictEqual(code, 2, `${args.join(" ")}: ${stderr}`);
    match(stderr, words);
    match(stderr, /\n {2}\S/);
  }
  const twice = ["login", "--backend", "https://b.example", "--api-key-stdin"];
  strictEqual((await pool.told(twice, KEY)).code, 0);
  const again = await pool.told(twice, KEY);
  strictEqual(again.code, 2);
  match(again.stderr, /has that key already, as backend/);
});
