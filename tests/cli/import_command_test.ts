/** `tc import` on files of other tools, and what becomes of a shared login. */

import { RefreshToken } from "../../src/ports.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { dirname, join } from "node:path";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { accountData } from "../../src/demo/demo_setup.ts";
import { TcPool } from "../fixtures/tc_process.ts";

/** Claude Code's own login of the demo's account, as its file has it. */
async function logIn(
  pool: TcPool,
  api: ScriptedApi,
  name: string,
): Promise<string> {
  const { credential } = accountData(api.account(name));
  if (credential.kind !== "oauth") throw new TypeError("It has no login");
  const file = join(pool.folder.path, ".claude", ".credentials.json");
  await Deno.mkdir(dirname(file), { recursive: true });
  await Deno.writeTextFile(
    file,
    JSON.stringify({
      claudeAiOauth: {
        accessToken: credential.accessToken.reveal(),
        refreshToken: RefreshToken.toStore(credential.refreshToken),
        expiresAt: credential.expiresAt,
        scopes: credential.scopes,
        subscriptionType: "max",
        rateLimitTier: "default_claude_max_20x",
      },
    }),
    { mode: 0o600 },
  );
  return file;
}

Deno.test("tc import takes Claude Code's login, says that it is shared, and leaves the file", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const file = await logIn(pool, api, "ada");
  const before = await Deno.readTextFile(file);

  const dry = await pool.tc(["import", "--dry-run", "--json"]);
  strictEqual(JSON.parse(dry.stdout).accounts[0].result, "added");
  deepStrictEqual((await (await pool.vault()).list()).entries, []);

  const asked = await pool.tc(["import"]);
  strictEqual(asked.code, 2);
  match(asked.stderr, /tc import --yes/);

  const end = await pool.tc(["import", "--yes", "--name", "mine", "--json"]);
  strictEqual(end.code, 0, end.stderr);
  const [row] = JSON.parse(end.stdout).accounts;
  deepStrictEqual([row.name, row.result, row.isShared], [
    "mine",
    "added",
    true,
  ]);
  match(end.stderr, /it and tc share every renewal/);
  ok(!end.stderr.includes("tc login"), end.stderr);
  const [entry] = (await (await pool.vault()).list()).entries;
  deepStrictEqual(entry?.sharedWith, { tool: "claude_code", location: file });
  strictEqual(entry?.identity === null, false);
  strictEqual(await Deno.readTextFile(file), before);

  const again = await pool.tc(["import", "--yes"]);
  strictEqual(again.stdout, "mine  already there\n");
  ok(!(end.stdout + end.stderr + dry.stdout).includes("sk-ant-"));
});

Deno.test("tc import moves tokens out of our own config", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const { credential } = accountData(api.account("ada"));
  ok(credential.kind === "oauth");
  const { configFile } = pool.paths;
  const config = JSON.parse(await Deno.readTextFile(configFile));
  await Deno.writeTextFile(
    configFile,
    JSON.stringify({
      ...config,
      switchThreshold: 0.98,
      accounts: [{
        name: "ada",
        type: "oauth",
        accessToken: credential.accessToken.reveal(),
        refreshToken: RefreshToken.toStore(credential.refreshToken),
        expiresAt: credential.expiresAt,
        priority: 5,
      }],
    }),
  );
  const end = await pool.tc(["import", "--from", configFile, "--yes"]);
  strictEqual(end.code, 0, end.stderr);
  const text = await Deno.readTextFile(configFile);
  ok(!text.includes("sk-ant-"), text);
  const [row] = JSON.parse(text).accounts;
  deepStrictEqual([row.name, row.priority, row.type], ["ada", 5, "oauth"]);
  const [entry] = (await (await pool.vault()).list()).entries;
  strictEqual(entry?.id, row.id);
  strictEqual(entry?.sharedWith, null);
});

Deno.test("a server stores what Claude Code has renewed, and writes back its own renewals", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const file = await logIn(pool, api, "ada");
  strictEqual((await pool.tc(["import", "--yes", "--name", "ada"])).code, 0);
  // The token has ended in the vault, and in Claude Code's own file as well.
  const vault = await pool.vault();
  const [entry] = (await vault.list()).entries;
  ok(entry?.credential.kind === "oauth");
  const { credential } = entry;
  const old = {
    ...credential,
    expiresAt: 1_000 as typeof credential.expiresAt,
  };
  await vault.put({ ...entry, credential: old });
  const stored = JSON.parse(await Deno.readTextFile(file));
  stored.claudeAiOauth.expiresAt = 1_000;
  stored.mcpOAuth = { kept: true };
  await Deno.writeTextFile(file, JSON.stringify(stored));

  const child = pool.command(["server", "--headless"], {
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    for (let tries = 0; tries < 200; tries++) {
      if ((await pool.tc(["status"])).code === 0) break;
    }
    const call = await pool.tc(["api", "/v1/models", "--account", "ada"]);
    strictEqual(call.code, 0, call.stderr);
    const now = JSON.parse(await Deno.readTextFile(file));
    const renewed = (await (await pool.vault()).list()).entries[0]?.credential;
    ok(renewed?.kind === "oauth");
    ok(!renewed.refreshToken.equals(credential.refreshToken));
    strictEqual(
      now.claudeAiOauth.refreshToken,
      RefreshToken.toStore(renewed.refreshToken),
    );
    deepStrictEqual(now.mcpOAuth, { kept: true });
    strictEqual(now.claudeAiOauth.subscriptionType, "max");
  } finally {
    await pool.tc(["stop"], { TC_TIMEOUTS_DRAIN_MS: "1000" });
    await child.status;
  }
});

Deno.test("tc import names the settings it took and those it left, without their values", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const file = pool.folder.join("maxpool.json");
  await Deno.writeTextFile(
    file,
    JSON.stringify({
      proxy: { port: 3456, apiKey: "mp-FAKE-secret" },
      switchThreshold: 0.9,
      accounts: [{
        name: "spare",
        type: "apikey",
        apiKey: "third-party-FAKE-key",
        priority: 3,
        upstream: "https://backend.example",
        capUtilization: 7,
        note: "mine",
      }],
    }),
  );
  const end = await pool.tc(["import", file, "--yes"]);
  strictEqual(end.code, 0, end.stderr);
  match(end.stdout, /^Settings taken: priority of spare, upstream of spare$/m);
  match(
    end.stdout,
    /^Settings left: proxy\.port, proxy\.apiKey, switchThreshold, capUtilization of spare, note of spare$/m,
  );
  ok(!end.stdout.includes("mp-FAKE"));
  // The account is known now and keeps what the pool says of it.
  const again = await pool.tc(["import", file, "--yes", "--json"]);
  const [row] = JSON.parse(again.stdout).accounts;
  deepStrictEqual([row.settings, row.settingsLeft], [[], [
    "priority",
    "upstream",
  ]]);
});
