/** The local key: one for all who ask, and never half of one. */

import {
  deepStrictEqual,
  match,
  strictEqual,
  throws,
} from "node:assert/strict";
import { join } from "node:path";
import { configFrom } from "../../src/config/config.ts";
import { localKey } from "../../src/config/local_key.ts";
import { pathsFrom } from "../../src/system/paths.ts";
import { numbered } from "../fixtures/demo_plane.ts";
import { realEntropy } from "../fixtures/real_ports.ts";
import { cleanVariables, TcPool } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";

function keyIn(home: string): string {
  const paths = pathsFrom(
    { ...cleanVariables(home), TC_CONFIG: join(home, "config.json") },
    Deno.build.os,
  );
  const config = configFrom({
    file: paths.configFile,
    text: null,
    environment: {},
    flags: {},
  });
  return localKey(config, paths, realEntropy).reveal();
}

Deno.test("localKey() treats an empty file, as left by a full disk, as none", async () => {
  await using home = new TempFolder();
  const folder = join(home.path, "config.vault");
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(join(folder, "key"), "");
  const key = keyIn(home.path);
  match(key, /^tc-[A-Za-z0-9_-]{32}$/);
  strictEqual(keyIn(home.path), key);
  if (Deno.build.os !== "windows") {
    const { mode } = await Deno.stat(join(folder, "key"));
    strictEqual((mode ?? 0) & 0o777, 0o600);
  }
});

Deno.test("localKey() does not replace a key that it cannot use", async () => {
  await using home = new TempFolder();
  const folder = join(home.path, "config.vault");
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(join(folder, "key"), "no key");
  throws(() => keyIn(home.path), /damaged/);
  strictEqual(await Deno.readTextFile(join(folder, "key")), "no key");
});

Deno.test("localKey() gives processes that start together the same key", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const ends = await Promise.all(numbered(6, () => pool.tc(["env", "--json"])));
  deepStrictEqual(
    ends.map(({ code, stderr }) => [code, stderr]),
    numbered(6, () => [0, ends[0]?.stderr]),
  );
  strictEqual(new Set(ends.map(({ stdout }) => stdout)).size, 1);
});
