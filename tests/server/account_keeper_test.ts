/** AccountKeeper: accounts read twice at one time. */

import { strictEqual } from "node:assert/strict";
import { AccountKeeper } from "../../src/server/worker/account_keeper.ts";
import { pathsFrom, vaultFolder } from "../../src/system/paths.ts";
import { type Config, configFrom } from "../../src/config/config.ts";
import { PoolKeeper } from "../../src/server/worker/pool_keeper.ts";
import { emptyPool } from "../../src/core/pool/pool.ts";
import { DEFAULT_ROUTE_SETTINGS } from "../../src/core/settings.ts";
import { fetchUpstream } from "../fixtures/fetch_upstream.ts";
import { realClock, realEntropy } from "../fixtures/real_ports.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { fileVault, idOf, MACHINE, oauthEntry } from "../fixtures/vault_kit.ts";
import { MANUAL_SHELL } from "../../src/shell_words.ts";

/** A config that has one row, with the account on or off. */
function configText(enabled: boolean): string {
  const vault = { backend: "file" };
  return JSON.stringify({ vault, accounts: [{ id: "work", enabled }] });
}

function configOf(file: string, text: string): Config {
  return configFrom({ file, text, environment: {}, flags: {} });
}

Deno.test("an earlier read does not overwrite a later one", async () => {
  await using folder = new TempFolder();
  const configFile = folder.join("config.json");
  const paths = pathsFrom({
    HOME: folder.path,
    XDG_STATE_HOME: folder.join("state"),
    TC_CONFIG: configFile,
  }, Deno.build.os);
  const { vault } = await fileVault(vaultFolder(paths));
  await vault.put(oauthEntry("work", "1"));
  await Deno.writeTextFile(configFile, configText(true));
  const keeper = new PoolKeeper(
    emptyPool(DEFAULT_ROUTE_SETTINGS),
    realClock,
    realEntropy,
  );
  const accounts = await AccountKeeper.open({
    keychain: null,
    keeper,
    upstream: fetchUpstream,
    journal: { log: () => {} },
    owners: null,
    order: {
      config: configOf(configFile, configText(true)),
      paths,
      version: "0",
      pid: Deno.pid,
      system: Deno.build.os,
      person: MANUAL_SHELL,
      key: "tc-test-key-0001",
      machine: MACHINE,
      store: null,
      proxy: { url: "", except: "" },
      authorities: "",
      takesOver: false,
      logForm: "logfmt",
      openFiles: null,
      newer: null,
    },
  });
  // The first reads the file as it still is.
  const first = accounts.reload();
  const last = accounts.load(configOf(configFile, configText(false)));
  await Promise.all([first, last]);
  const { account } = keeper.state.accounts.get(idOf("work")) ?? {};
  strictEqual(account?.enabled, false);
  await accounts.close();
});
