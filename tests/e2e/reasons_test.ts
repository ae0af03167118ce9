/** Reasons that are true: in the log, in status and in what the client hears. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

const SETTINGS = {
  usage: { poll: false },
  hold: { jsonMaxMs: 1_000 },
  proxy: { bodyBytesMax: 2_000 },
};

interface Question {
  readonly padding?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function ask(
  baseUrl: string,
  { padding = "", headers = {} }: Question = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`${baseUrl}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({
      model: "claude-sonnet-5-5",
      max_tokens: 50,
      messages: [{ role: "user", content: `demo:say hi${padding}` }],
    }),
  });
  return { status: response.status, text: await response.text() };
}

Deno.test("a login that is refused and cannot be renewed is ready nowhere, and says why", async () => {
  await using api = await startScriptedApi();
  for (const name of ["work", "home"]) api.account(name);
  await using pool = await TcPool.of(api, SETTINGS);
  await pool.tc(["env", "--shell", "sh"]);
  const baseUrl = await pool.baseUrl();
  strictEqual((await ask(baseUrl)).status, 200);
  // By the vault's own note the tokens are good for hours.
  for (const name of ["work", "home"]) api.account(name).expire();
  api.nextToken().times(50).status(503);
  const refused = await ask(baseUrl);
  const why = /cannot be renewed: the token endpoint answers 503/;
  // It may come through later: no sign-in is asked for.
  strictEqual(refused.status, 429, refused.text);
  match(refused.text, why);
  const status = await pool.tc(["status"]);
  match(status.stdout, /0 of 2 accounts ready, 2 cannot be renewed/);
  match(status.stdout, why);
  match(status.stdout, /next try \d\d:\d\d/);
  ok(!/refused by the provider/.test(status.stdout), status.stdout);
  const capacity = await pool.tc(["capacity"]);
  strictEqual(capacity.code, 20, capacity.stdout);
  match(capacity.stdout, /0 of 2 accounts ready, 2 cannot be renewed/);
  const accounts = await pool.tc(["accounts"]);
  ok(!/\bready\b/.test(accounts.stdout), accounts.stdout);
});

Deno.test("each account that is refused is renewed once in one request", async () => {
  await using api = await startScriptedApi();
  for (const name of ["work", "home"]) api.account(name);
  await using pool = await TcPool.of(api, SETTINGS);
  await pool.tc(["env", "--shell", "sh"]);
  const baseUrl = await pool.baseUrl();
  for (const name of ["work", "home"]) api.account(name).expire();
  // The first renewal fails, the second one, of the other account, does not.
  api.nextToken().status(503);
  const answer = await ask(baseUrl);
  strictEqual(answer.status, 200, answer.text);
});

Deno.test("refusals and failures have their reason in the log line, and no key", async () => {
  const api = await startScriptedApi();
  api.account("work");
  await using pool = await TcPool.of(api, SETTINGS);
  await pool.tc(["env", "--shell", "sh"]);
  const baseUrl = await pool.baseUrl();
  const [origin = "", key = ""] = baseUrl.split("/k/");
  const statuses = [
    await ask(baseUrl, { padding: "y".repeat(5_000) }),
    await ask(baseUrl, { headers: { "x-tc-account": "nobody" } }),
    await ask(origin),
    await ask(`${origin}/k/${key}x`),
    await ask(baseUrl, { headers: { origin: "http://evil.example" } }),
  ].map(({ status }) => status);
  deepStrictEqual(statuses, [413, 400, 401, 401, 403]);
  await api[Symbol.asyncDispose]();
  strictEqual((await ask(baseUrl)).status, 502);
  await pool.tc(["stop"]);
  const log = await pool.log();
  match(log, /refused .*status=413 why="The request is larger than proxy/);
  match(log, /refused .*status=400 why="tc has no account named nobody/);
  match(log, /refused .*path=\/v1\/messages status=401 why="tc: The local key/);
  match(log, /refused .*path=\/k\/…\/v1\/messages status=401/);
  match(log, /refused .*status=403 why="tc: Requests of web pages/);
  match(log, /request .*status=502 .*why=".*Connection refused/);
  ok(!log.includes(key), "the key is in the log");
});
