/** `tc stop`: it says what it waits for, and "Stopped." when that is so. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { hasEnded } from "../../src/claude/sessions/process_life.ts";
import { messageBody } from "../fixtures/demo_message.ts";
import { listening } from "../fixtures/listening.ts";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { needs } from "../fixtures/skipped.ts";
import { TcPool } from "../fixtures/tc_process.ts";

async function serve(pool: TcPool): Promise<Deno.ChildProcess> {
  const server = pool.command(["server", "--headless"], {
    stdout: "null",
    stderr: "null",
  }).spawn();
  await listening(pool.port);
  return server;
}

/** A stream that begins and does not end; returns the function that leaves it. */
async function openStream(
  pool: TcPool,
  api: ScriptedApi,
): Promise<() => Promise<void>> {
  api.next("work").stream(["message_start", "hang"]);
  const answer = await fetch(`${await pool.baseUrl()}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: messageBody(),
  });
  const reader = answer.body?.getReader();
  await reader?.read();
  return async () => {
    await reader?.cancel().catch(() => {});
  };
}

Deno.test("tc stop says what it finishes and stops for good; the next server starts at once", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  await using pool = await TcPool.of(api, {
    usage: { poll: false },
    timeouts: { drainMs: 2_000 },
  });
  const first = await serve(pool);
  const leave = await openStream(pool, api);
  const begun = performance.now();
  const end = await pool.tc(["stop"]);
  match(end.stderr, /Finishing 1 request, at most 2 s/);
  strictEqual(end.stdout.trim(), "Stopped.");
  ok(performance.now() - begun > 1_500, `${performance.now() - begun} ms`);
  ok(hasEnded(first.pid));
  await leave();
  await first.status;
  const second = await serve(pool);
  strictEqual((await pool.tc(["status"])).code, 0);
  await pool.tc(["stop"]);
  await second.status;
});

Deno.test("tc stop --no-wait returns while the server finishes what is open", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  await using pool = await TcPool.of(api, {
    usage: { poll: false },
    timeouts: { drainMs: 3_000 },
  });
  const server = await serve(pool);
  const leave = await openStream(pool, api);
  const end = await pool.tc(["stop", "--no-wait", "--json"]);
  strictEqual(JSON.parse(end.stdout).stopped, false);
  ok(!hasEnded(server.pid));
  strictEqual((await server.status).code, 0);
  await leave();
});

Deno.test("tc stop --now cuts what is open", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  await using pool = await TcPool.of(api, {
    usage: { poll: false },
    timeouts: { drainMs: 60_000 },
  });
  const server = await serve(pool);
  const leave = await openStream(pool, api);
  const end = await pool.tc(["stop", "--now"]);
  match(end.stderr, /Cutting 1 request\./);
  strictEqual(end.stdout.trim(), "Stopped.");
  await leave();
  await server.status;
});

Deno.test("SIGINT ends a server in order once, and at once the second time", {
  ignore: needs("signals"),
}, async () => {
  await using api = await startScriptedApi();
  api.account("work");
  await using pool = await TcPool.of(api, {
    usage: { poll: false },
    timeouts: { drainMs: 60_000 },
  });
  const server = await serve(pool);
  const leave = await openStream(pool, api);
  server.kill("SIGINT");
  await new Promise((resolve) => setTimeout(resolve, 700));
  ok(!hasEnded(server.pid), "the first one waits for the open request");
  server.kill("SIGINT");
  strictEqual((await server.status).code, 130);
  await leave();
});
