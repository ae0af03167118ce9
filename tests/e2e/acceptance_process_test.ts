/**
 * Acceptance: what only whole processes can show. Peers' tests 5, 13, 14 and
 * 15. Test 7, a restart under load, is tests/binary/restart_test.ts.
 */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { numbered } from "../fixtures/demo_plane.ts";
import { ServedPool } from "../fixtures/served_pool.ts";
import { messageBody } from "../fixtures/demo_message.ts";
import { RawClient } from "../fixtures/raw_client.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { until } from "../fixtures/upstream_client.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";

function tokenCalls({ api }: ServedPool): number {
  return api.requests("/v1/oauth/token").length;
}

async function statusOf(response: Response): Promise<number> {
  await response.text();
  return response.status;
}

Deno.test("5: a refused token is renewed once, or else another account serves", async () => {
  await using served = await ServedPool.open();
  const { api } = served;
  strictEqual(await statusOf(await served.post({ session: "one" })), 200);
  const home = served.messages()[0]?.account ?? "";

  // All its tokens are dead: one refresh is tried, and somebody else serves.
  api.account(home).revoke();
  strictEqual(await statusOf(await served.post({ session: "one" })), 200);
  strictEqual(await statusOf(await served.post({ session: "two" })), 200);
  strictEqual(tokenCalls(served), 1);
  const next = served.messages().at(-1)?.account ?? "";
  ok(next !== home);
  const accounts = await served.pool.tc(["accounts"]);
  match(accounts.stdout, new RegExp(`${home} .*needs sign-in`));

  // The provider forgets a token alone: one refresh for all, the same account.
  api.account(next).expire();
  const count = served.messages().length;
  const many = await Promise.all(
    numbered(8, () => served.post({ session: "two" }).then(statusOf)),
  );
  deepStrictEqual(many, numbered(8, () => 200));
  strictEqual(tokenCalls(served), 2);
  const moved = served.messages().slice(count)
    .filter(({ account }) => account !== next);
  deepStrictEqual(moved, [], "a token that could be renewed cost its place");
});

Deno.test("13: three processes with one grant spend it once", async () => {
  await using served = await ServedPool.open({ accounts: ["only"] });
  strictEqual(await statusOf(await served.post({ session: "warm" })), 200);
  served.api.account("only").expire();
  // A command that asks for usage takes its own credential from the vault.
  const lists = numbered(2, () => served.pool.tc(["swap", "list"]));
  const usageCalls = () => served.api.requests("/api/oauth/usage").length;
  await until(() => usageCalls() > 0, 60_000);
  const statuses = await Promise.all(
    numbered(8, () => served.post().then(statusOf)),
  );
  deepStrictEqual(statuses, numbered(8, () => 200));
  for (const { code, stdout, stderr } of await Promise.all(lists)) {
    strictEqual(code, 0, stderr);
    match(stdout, /only/);
  }
  strictEqual(tokenCalls(served), 1);
  const { reuses, killed } = served.api.families();
  deepStrictEqual([reuses, killed], [0, 0]);
});

/** What Claude Code leaves for a moment when it logs in or loses a refresh. */
const BLANK_LOGINS = [
  { accessToken: "", refreshToken: "", expiresAt: 0 },
  {
    accessToken: "sk-ant-oat01-FAKE-half",
    refreshToken: " ",
    expiresAt: 4_000_000_000_000,
  },
];

Deno.test("14: a login with blank tokens is never taken over", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  await using pool = await TcPool.of(api);
  const before = await (await pool.vault()).list();
  for (const login of BLANK_LOGINS) {
    const file = join(pool.folder.path, "blank.json");
    const text = JSON.stringify({ claudeAiOauth: login });
    await Deno.writeTextFile(file, text);
    const end = await pool.tc(["import", "--from", file, "--yes"]);
    ok(end.code !== 0, end.stdout);
    match(end.stderr, /Cannot .*import/i);
    strictEqual(await Deno.readTextFile(file), text);
  }
  deepStrictEqual(await (await pool.vault()).list(), before);
  strictEqual(api.requests().length, 0);
});

Deno.test("15: a web page of another origin gets nothing done", async () => {
  await using served = await ServedPool.open();
  const key = new URL(served.baseUrl).pathname.split("/")[2] ?? "";
  const body = messageBody();
  const foreign: readonly (readonly [string, string])[] = [
    ["origin", "https://evil.example"],
    ["origin", "http://127.0.0.1:1"],
    ["origin", "null"],
    ["sec-fetch-site", "cross-site"],
  ];
  for (const target of ["/v1/messages", "/tc/v1/stop", "/tc/v1/reload"]) {
    for (const [name, value] of foreign) {
      const status = await rawPost(served.pool.port, target, {
        host: `127.0.0.1:${served.pool.port}`,
        "x-api-key": key,
        "content-type": "text/plain",
        [name]: value,
      }, body);
      strictEqual(status, 403, `${target} with ${name}: ${value}`);
    }
    // A name that was made to point here, as rebinding does.
    const status = await rawPost(served.pool.port, target, {
      host: "evil.example",
      "x-api-key": key,
      "content-type": "application/json",
    }, body);
    ok(status >= 400 && status < 500, `${target}: ${status}`);
  }
  strictEqual(served.messages().length, 0);
  // It stands, and serves whoever is let in.
  strictEqual(await statusOf(await served.post()), 200);
});

async function rawPost(
  port: number,
  target: string,
  headers: Readonly<Record<string, string>>,
  body: string,
): Promise<number> {
  using client = await RawClient.connect(port);
  const lines = Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`).join("");
  await client.write(
    `POST ${target} HTTP/1.1\r\n${lines}content-length: ${body.length}\r\n\r\n${body}`,
  );
  while (!client.received.includes("\r\n\r\n") && await client.read()) {
    // The head is not whole yet.
  }
  return Number(/^HTTP\/1\.1 (\d+)/.exec(client.received)?.[1]);
}
