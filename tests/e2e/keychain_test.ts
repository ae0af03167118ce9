/** A pool whose secrets the system's keychain holds, served by the worker. */

import "../fixtures/clean_environment.ts";
import { doesNotMatch, match, ok, strictEqual } from "node:assert/strict";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { accountData } from "../../src/demo/demo_setup.ts";
import { listening } from "../fixtures/listening.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { needsLinux } from "../fixtures/skipped.ts";

/** `secret-tool` as a script, with its items in a folder. */
const SCRIPT = `#!/bin/sh
folder=$(dirname "$0")/items; mkdir -p "$folder"
verb=$1; shift; for last; do :; done
if [ -e "$folder/locked" ]; then echo "locked" >&2; exit 1; fi
case $verb in
  store) cat >"$folder/$last" ;;
  lookup) cat "$folder/$last" 2>/dev/null || exit 1 ;;
  clear) rm -f "$folder/$last" ;;
esac
`;

/** Puts a key of `api` into a keychain of its own, and says how to find it. */
async function withKey(
  pool: TcPool,
  api: ScriptedApi,
): Promise<{ readonly bin: string; readonly env: Record<string, string> }> {
  const bin = pool.folder.join("bin");
  await Deno.mkdir(bin);
  await Deno.writeTextFile(`${bin}/secret-tool`, SCRIPT, { mode: 0o755 });
  const env = { PATH: `${bin}:${Deno.env.get("PATH")}` };
  const { credential } = accountData(api.account("ada", { kind: "api_key" }));
  ok(credential.kind === "api_key");
  const login = pool.command(
    ["login", "--api", "--api-key-stdin", "--name", "ada"],
    { env, stdin: "piped" },
  ).spawn();
  const writer = login.stdin.getWriter();
  await writer.write(new TextEncoder().encode(credential.key.reveal()));
  await writer.close();
  const { success, stderr } = await login.output();
  ok(success, new TextDecoder().decode(stderr));
  return { bin, env };
}

Deno.test({
  name:
    "a server gets its credentials out of the keychain, also once it is locked",
  ignore: needsLinux("tools"),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api, { vault: { backend: "keychain" } });
    const { bin, env } = await withKey(pool, api);
    const files = (await Array.fromAsync(
      Deno.readDir(`${pool.paths.secretsFolder}/vault`),
    )).map(({ name }) => name);
    ok(files.some((name) => name.endsWith(".keychain")), String(files));
    ok(files.every((name) => !name.endsWith(".vault")), String(files));

    const server = pool.command(["server", "--headless"], {
      env,
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      for (let tries = 0; tries < 200; tries++) {
        if ((await pool.tc(["status"], env)).code === 0) break;
      }
      const status = await pool.tc(["status"], env);
      match(status.stdout, /vault: Secret Service/);
      const call = await pool.tc(["api", "/v1/models"], env);
      strictEqual(call.code, 0, call.stderr);

      // Locked while it serves: what is in memory goes on.
      await Deno.writeTextFile(`${bin}/items/locked`, "");
      const still = await pool.tc(["api", "/v1/models"], env);
      strictEqual(still.code, 0, still.stderr);
    } finally {
      await pool.tc(["stop"], { TC_TIMEOUTS_DRAIN_MS: "1000" });
      await server.status;
    }
  },
});

Deno.test({
  name:
    "a server that starts before the keychain is unlocked says so, and serves once it is",
  ignore: needsLinux("tools"),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api, { vault: { backend: "keychain" } });
    const { bin, env } = await withKey(pool, api);
    const lock = `${bin}/items/locked`;
    await Deno.writeTextFile(lock, "");
    const server = pool.command(["server", "--headless"], {
      env,
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      await listening(pool.port);
      const { stdout } = await pool.tc(["status"], env);
      match(stdout, /The keychain is locked: 1 account is behind it/);
      match(stdout, /secret-tool lookup unlock it/);
      const { stdout: said } = await pool.tc(["doctor"], env);
      match(said, /is in the keychain, which is locked/);
      doesNotMatch(said, /login again/);
      await Deno.remove(lock);
      let call = await pool.tc(["api", "/v1/models"], env);
      for (let looks = 0; call.code !== 0 && looks < 60; looks++) {
        await new Promise((resolve) => setTimeout(resolve, 500));
        call = await pool.tc(["api", "/v1/models"], env);
      }
      strictEqual(call.code, 0, call.stderr);
    } finally {
      await pool.tc(["stop"], { TC_TIMEOUTS_DRAIN_MS: "1000" });
      await server.status;
    }
  },
});
