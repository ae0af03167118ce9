/** Commands as another system runs them: the system is an argument of `start()`. */

import "../fixtures/clean_environment.ts";
import { match, notStrictEqual, strictEqual } from "node:assert/strict";
import { ROOT } from "../fixtures/paths.ts";
import { listening } from "../fixtures/listening.ts";
import { MacPrograms } from "../fixtures/mac_programs.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { needsLinux } from "../fixtures/skipped.ts";
import { TcPool } from "../fixtures/tc_process.ts";

const SCRIPT = `${ROOT}tests/fixtures/tc_on_system.ts`;

/** Runs tc from source as `system` would. */
async function tcOn(
  system: string,
  pool: TcPool,
  words: readonly string[],
): Promise<{ readonly code: number; readonly out: string }> {
  // The vault was sealed with the id that Linux tells.
  await using mac = new MacPrograms();
  const id = await Deno.readTextFile("/etc/machine-id").catch(() => "");
  await Deno.writeTextFile(
    mac.path("ioreg"),
    `#!/bin/sh\necho '"IOPlatformUUID" = "${id.trim()}"'\n`,
  );
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", SCRIPT, ...words],
    clearEnv: true,
    env: {
      ...pool.variables,
      PATH: `${mac.searchPath}:${pool.variables["PATH"]}`,
      TC_TEST_SYSTEM: system,
    },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout) + decoder.decode(stderr) };
}

Deno.test({
  name: "tc restart on macOS stops the server and starts the next one",
  // Its folders are those of Unix.
  ignore: needsLinux("tools") || Deno.env.get("TC_TEST_BINARY") !== undefined,
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work");
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    const server = pool.command(["server", "--headless"], {
      stdout: "null",
      stderr: "null",
    }).spawn();
    await listening(pool.port);
    const { code, out } = await tcOn("darwin", pool, ["restart"]);
    strictEqual(code, 0, out);
    strictEqual((await server.status).code, 0);
    const { server: seen } = await pool.json(["status"]) as {
      readonly server: { readonly pid: number };
    };
    match(out, new RegExp(`pid ${server.pid} is now pid ${seen.pid}`));
    notStrictEqual(seen.pid, server.pid);
  },
});

Deno.test({
  name: "tc doctor on macOS and Linux looks at modes, limits and the disk",
  ignore: needsLinux("tools") || Deno.env.get("TC_TEST_BINARY") !== undefined,
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work");
    await using pool = await TcPool.of(api);
    for (const system of ["linux", "darwin"]) {
      const { out } = await tcOn(system, pool, ["doctor"]);
      for (const topic of ["files", "disk", "limits"]) {
        match(out, new RegExp(`^ok +${topic} `, "m"), `${system}: ${out}`);
      }
    }
  },
});
