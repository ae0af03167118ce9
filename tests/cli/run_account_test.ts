/** `tc run --account`, with a client that prints what it was given. */

import "../fixtures/clean_environment.ts";
import { match, strictEqual } from "node:assert/strict";
import { printsVariable, putClient } from "../fixtures/client_stub.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

Deno.test({
  name: "tc run --account names the account in characters that a header allows",
  async fn() {
    await using api = await startScriptedApi();
    api.account("fox");
    await using pool = await TcPool.of(api);
    const vault = await pool.vault();
    const [entry] = (await vault.list()).entries;
    if (entry === undefined) throw new TypeError("There is no account");
    await vault.update(entry.id, (now) => ({ ...now, label: "🦊 büro" }));
    const folder = pool.folder.join("bin");
    await Deno.mkdir(folder);
    const path = await putClient(
      folder,
      printsVariable("ANTHROPIC_CUSTOM_HEADERS"),
    );
    const end = await pool.tc(["run", "--account", "🦊 büro"], { PATH: path });
    strictEqual(end.code, 0, end.stderr);
    match(end.stdout, new RegExp(`^x-tc-account: ${entry.id}$`, "m"));

    const typo = await pool.tc(["run", "--account", "fix"], { PATH: path });
    strictEqual(typo.code, 2);
    match(typo.stderr, /Cannot find the account fix/);
    strictEqual(typo.stdout, "");
  },
});
