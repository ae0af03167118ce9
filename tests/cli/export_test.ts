/** `tc export` and `tc import FILE`: a pool moves, and no login has two owners. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { openPool, sealPool } from "../../src/store/pool_file.ts";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

const PASSPHRASE = "correct horse battery";

/** Runs tc with the passphrase on its standard input. */
async function withPassphrase(
  pool: TcPool,
  args: readonly string[],
  passphrase = PASSPHRASE,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = pool.command([...args, "--passphrase-stdin"], {
    stdin: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`${passphrase}\n`));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

async function ids(pool: TcPool): Promise<readonly string[]> {
  const { entries } = await (await pool.vault()).list();
  return entries.map(({ label }) => label).toSorted();
}

function filled(api: ScriptedApi): Promise<TcPool> {
  api.account("work", { tier: "max_20x" });
  api.account("console", { kind: "api_key" });
  return TcPool.of(api, { routing: { policy: "pace" } });
}

Deno.test("a pool moves to another machine: logins leave, keys and settings are copied", async () => {
  await using api = await startScriptedApi();
  await using here = await filled(api);
  await here.tc(["priority", "console", "--max-cost", "5/day"]);
  // The file and both machines say the name that the account has by now.
  await here.tc(["rename", "work", "office"]);
  // A server that ran before remembers the accounts that it had.
  strictEqual((await here.tc(["env"])).code, 0);
  await here.tc(["stop"]);
  const file = here.folder.join("pool.age");
  const end = await withPassphrase(here, ["export", file, "--yes"]);
  strictEqual(end.code, 0, end.stderr);
  match(end.stdout, /Moved into .*pool\.age: office/);
  match(end.stdout, /no longer work here/);
  match(end.stdout, /Copied: console and the settings/);
  deepStrictEqual(await ids(here), ["console"]);
  // A login that has moved is not reported as lost, and a key is enough to serve.
  await here.tc(["disable", "console"]);
  strictEqual((await here.tc(["env"])).code, 0);
  const status = await here.tc(["status"]);
  ok(!status.stdout.includes("is gone"), status.stdout);
  match(status.stdout, /every account is off: tc enable console/);
  await here.tc(["enable", "console"]);
  await here.tc(["stop"]);
  const bytes = await Deno.readFile(file);
  ok(!new TextDecoder().decode(bytes).includes("sk-ant"));
  match(new TextDecoder().decode(bytes), /^age-encryption\.org\/v1\n-> scrypt/);

  await using empty = await startScriptedApi();
  await using there = await TcPool.of(empty);
  await Deno.remove(there.paths.configFile);
  const got = await withPassphrase(there, ["import", file]);
  strictEqual(got.code, 0, got.stderr);
  match(got.stdout, /Imported office, a login/);
  match(got.stderr, /used here now/);
  match(got.stdout, /^Settings taken: .*routing\.policy/m);
  deepStrictEqual(await ids(there), ["console", "office"]);
  const policy = await there.tc(["config", "get", "routing.policy"]);
  match(policy.stdout, /pace/);
  match((await there.tc(["priority", "console"])).stdout, /at most \$5\/day/);
  // The file has no login left: a third machine cannot take it as well.
  const left = await openPool(await Deno.readFile(file), PASSPHRASE, file);
  deepStrictEqual(left.entries.map(({ label }) => label), ["console"]);
});

Deno.test("a wrong passphrase, a cut file and an existing file change nothing", async () => {
  await using api = await startScriptedApi();
  await using here = await filled(api);
  const file = here.folder.join("pool.age");
  const short = await withPassphrase(here, ["export", file, "--yes"], "short");
  strictEqual(short.code, 2);
  deepStrictEqual(await ids(here), ["console", "work"]);
  await withPassphrase(here, ["export", file, "--yes"]);
  const again = await withPassphrase(here, ["export", file, "--yes"]);
  match(again.stderr, /it exists already/);

  const wrong = await withPassphrase(here, ["import", file], "another phrase");
  strictEqual(wrong.code, 65, wrong.stderr);
  match(wrong.stderr, /the passphrase is wrong/);
  const bytes = await Deno.readFile(file);
  for (const length of [30, 120, bytes.length - 1]) {
    const cut = here.folder.join(`cut-${length}.age`);
    await Deno.writeFile(cut, bytes.slice(0, length));
    const end = await withPassphrase(here, ["import", cut]);
    strictEqual(end.code, 65, end.stderr);
    match(end.stderr, /damaged or incomplete/);
  }
  deepStrictEqual(await ids(here), ["console"]);
  // What was moved out comes back by its file.
  const back = await withPassphrase(here, ["import", file]);
  match(back.stdout, /Imported work/);
  match(back.stdout, /console is here already/);
  deepStrictEqual(await ids(here), ["console", "work"]);
});

Deno.test("an export that cannot be written moves nothing", async () => {
  await using api = await startScriptedApi();
  await using here = await filled(api);
  const file = here.folder.join("missing/folder/pool.age");
  const end = await withPassphrase(here, ["export", file, "--yes"]);
  ok(end.code !== 0);
  deepStrictEqual(await ids(here), ["console", "work"]);
});

Deno.test("an import that was interrupted is completed by the next one", async () => {
  await using api = await startScriptedApi();
  await using here = await filled(api);
  const file = here.folder.join("pool.age");
  await withPassphrase(here, ["export", file, "--yes"]);
  const whole = await openPool(await Deno.readFile(file), PASSPHRASE, file);
  // The first try ended after the vault had one of two accounts.
  const [login] = whole.entries.filter(({ kind }) => kind === "subscription");
  ok(login !== undefined);
  await (await here.vault()).put(login);
  const end = await withPassphrase(here, ["import", file]);
  strictEqual(end.code, 0, end.stderr);
  deepStrictEqual(await ids(here), ["console", "work"]);
  const left = await openPool(await Deno.readFile(file), PASSPHRASE, file);
  deepStrictEqual(left.entries.map(({ kind }) => kind), ["api_key"]);
});

Deno.test("openPool() gives back what sealPool() took", async () => {
  const config = { routing: { policy: "price" }, odd: ["é", 1] };
  const bytes = await sealPool({ config, entries: [] }, PASSPHRASE);
  deepStrictEqual(await openPool(bytes, PASSPHRASE, "x"), {
    config,
    entries: [],
  });
});
