/** Accounts that stay one machine's own, although it is part of a pool. */

import { strictEqual } from "node:assert/strict";
import { Secret } from "../../../src/ports.ts";
import { HAS_POSTGRES, Postgres } from "../../fixtures/postgres.ts";
import { machineOf, newPool } from "../../fixtures/shared_kit.ts";
import { TempFolder } from "../../fixtures/temp_folder.ts";
import { idOf, oauthEntry } from "../../fixtures/vault_kit.ts";

Deno.test({
  name: "a login of another program and a backend never leave their machine",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using postgres = await Postgres.start();
    await using folder = new TempFolder();
    const pool = await newPool(await postgres.database(), folder.join("m"));
    const machine = await machineOf(pool, folder.join("one"), "one");
    const { vault } = machine;
    await vault.put(oauthEntry("client", "1", {
      sharedWith: { tool: "claude_code", location: "/home/x/.claude" },
    }));
    await vault.put(oauthEntry("backend", "2", {
      kind: "backend",
      identity: null,
      credential: { kind: "bearer", token: new Secret("FAKE-bearer") },
    }));
    await vault.put(oauthEntry("shared", "3"));
    for (const id of ["client", "backend"]) await vault.offer(idOf(id));
    await vault.exchange();
    strictEqual(
      (await postgres.sql("pool_1", "SELECT id FROM tc.accounts")).trim(),
      "shared",
    );
    strictEqual((await vault.list()).entries.length, 3);
    const renamed = await vault.update(idOf("backend"), (entry) => ({
      ...entry,
      label: "own",
    }));
    strictEqual(renamed?.label, "own");
    await machine.close();
  },
});
