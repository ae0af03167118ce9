/** Ctrl-C while a command is renewing a login. */

import { match, notStrictEqual, strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { instantFromMs } from "../../src/core/time.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { refreshTokenOf } from "../fixtures/vault_kit.ts";
import { needs } from "../fixtures/skipped.ts";

Deno.test({
  name: "an interrupt waits until a spent token's successor is on disk",
  // A program cannot be sent an interrupt there.
  ignore: needs("signals"),
  async fn() {
    for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
      await using api = await startScriptedApi();
      api.account("work");
      await using pool = await TcPool.of(api);
      const vault = await pool.vault();
      const [entry] = (await vault.list()).entries;
      if (entry === undefined) throw new TypeError("There is no account");
      const before = await vault.update(entry.id, (now) => ({
        ...now,
        credential: {
          ...now.credential,
          expiresAt: instantFromMs(1),
        } as typeof now.credential,
      }));
      api.nextToken("work").delay(2_000).answer();
      const child = pool.command(["swap", "use", "work"]).spawn();
      for (let tries = 0; tries < 3_000; tries++) {
        if (api.requests("/v1/oauth/token").length > 0) break;
        await new Promise((wake) => setTimeout(wake, 10));
      }
      child.kill(signal);
      const end = await child.output();
      strictEqual(end.code, code);
      match(new TextDecoder().decode(end.stderr), /being renewed/);
      notStrictEqual(
        refreshTokenOf(await vault.get(entry.id)),
        refreshTokenOf(before),
        signal,
      );
    }
  },
});
