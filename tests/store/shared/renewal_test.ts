/** Machines that renew one login, and machines that die in the middle of it. */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { after, HOUR_MS } from "../../../src/core/time.ts";
import { LineChild } from "../../fixtures/line_child.ts";
import { HAS_POSTGRES, Postgres } from "../../fixtures/postgres.ts";
import { realClock, realEntropy } from "../../fixtures/real_ports.ts";
import { newPoolKey } from "../../../src/store/shared/pool_seal.ts";
import { entryOf } from "../../fixtures/refresh_kit.ts";
import { report } from "../../fixtures/report.ts";
import {
  machineOf,
  newPool,
  type PoolAddress,
} from "../../fixtures/shared_kit.ts";
import { TempFolder } from "../../fixtures/temp_folder.ts";
import { type Family, TokenServer } from "../../fixtures/token_server.ts";
import { trials } from "../../fixtures/trials.ts";
import { idOf, refreshTokenOf } from "../../fixtures/vault_kit.ts";

const SCRIPT = "shared_refresh_child.ts";
/** Short, so that a test need not wait for a minute. */
const CLAIM_MS = 2_000;

interface Scene extends AsyncDisposable {
  readonly folder: TempFolder;
  readonly provider: TokenServer;
  readonly pool: PoolAddress;
  readonly family: Family;
  machine(name: string, deathStep?: string): LineChild;
}

/** A pool whose one login ends in an hour. */
async function sceneOf(postgres: Postgres): Promise<Scene> {
  const folder = new TempFolder();
  const provider = new TokenServer();
  const pool = await newPool(await postgres.database(), folder.join("maker"));
  const family = provider.mint("a");
  const first = await machineOf(pool, folder.join("maker"), "maker");
  await first.vault.put(
    entryOf(family, after(realClock.now(), HOUR_MS)),
  );
  deepStrictEqual(await first.vault.unsent(), []);
  await first.close();
  return {
    folder,
    provider,
    pool,
    family,
    machine: (name, deathStep = "-") =>
      new LineChild(SCRIPT, [
        folder.join(name),
        provider.origin,
        pool.url,
        pool.poolKey,
        name,
        String(CLAIM_MS),
        deathStep,
      ]),
    async [Symbol.asyncDispose]() {
      await provider[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Lets `hours` pass on each machine at once, and returns what each got. */
async function pass(
  machines: readonly LineChild[],
  hours: number,
): Promise<readonly (string | null)[]> {
  for (const machine of machines) await machine.write(String(hours));
  return await Promise.all(machines.map((machine) => machine.read()));
}

for (const count of [2, 8]) {
  Deno.test({
    name:
      `${count} machines at the end of a token: no family is lost, one call a round`,
    ignore: !HAS_POSTGRES,
    fn: async () => {
      await using postgres = await Postgres.start();
      await using scene = await sceneOf(postgres);
      const rounds = trials(6, 50);
      const machines = Array.from(
        { length: count },
        (_, index) => scene.machine(`m${index}`),
      );
      try {
        for (const one of machines) strictEqual(await one.read(), "ready");
        for (let round = 0; round < rounds; round++) {
          const answers = await pass(machines, 9);
          deepStrictEqual(new Set(answers), new Set(["200"]), `round ${round}`);
          strictEqual(scene.provider.tokenCalls.length, round + 1);
        }
        strictEqual(scene.provider.killed, 0);
        report(`${rounds} rounds of ${count} machines: 0 families lost`);
      } finally {
        for (const one of machines) await one[Symbol.asyncDispose]();
      }
    },
  });
}

/** What is left after a death at each step, once the dead machine is back. */
const STEPS = {
  /** Nothing was spent. */
  claimed: "200",
  /** The successor was in memory alone: only a new login helps. */
  answered: "needs_login",
  opened: "needs_login",
  written: "200",
  synced: "200",
  renamed: "200",
  folder_synced: "200",
  stored: "200",
} as const;

Deno.test({
  name:
    "kill -9 of the renewing machine at each step: nothing that reached its disk is lost",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using postgres = await Postgres.start();
    const rounds = trials(1, 50);
    for (let round = 0; round < rounds; round++) {
      for (const [step, outcome] of Object.entries(STEPS)) {
        await using scene = await sceneOf(postgres);
        const { provider, family } = scene;
        await using victim = scene.machine("victim", step);
        strictEqual(await victim.read(), "ready");
        // Started now, so that it is back before the claim ends.
        await using heir = scene.machine("victim");
        strictEqual(await heir.read(), "ready");
        await victim.write("9");
        strictEqual(await victim.read(), null, `it survived ${step}`);
        await provider.idle();
        const calls = provider.tokenCalls.length;
        strictEqual(calls, step === "claimed" ? 0 : 1);

        // Another machine asks at once: it must wait for the claim's end, or
        // for the victim, which is back before that.
        await using other = scene.machine("other");
        strictEqual(await other.read(), "ready");
        await other.write("9");
        const [first, second] = await Promise.all([
          heir.write("9").then(() => heir.read()),
          other.read(),
        ]);
        deepStrictEqual([first, second], [outcome, outcome], step);
        strictEqual(provider.killed, outcome === "200" ? 0 : 1, step);
        if (outcome === "200") {
          const token = await storedToken(scene);
          strictEqual(token, family.refreshToken, step);
        }
        const spent = provider.tokenCalls.length - calls;
        ok(spent <= (outcome === "200" && step !== "claimed" ? 0 : 1), step);
      }
    }
    report(`${rounds} x ${Object.keys(STEPS).length} deaths: as expected`);
  },
});

Deno.test({
  name:
    "a claim whose machine does not come back is waited for, then taken over",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using postgres = await Postgres.start();
    await using scene = await sceneOf(postgres);
    await using victim = scene.machine("victim", "claimed");
    strictEqual(await victim.read(), "ready");
    await victim.write("9");
    strictEqual(await victim.read(), null);
    const diedAt = performance.now();
    await using other = scene.machine("other");
    strictEqual(await other.read(), "ready");
    deepStrictEqual(await pass([other], 9), ["200"]);
    ok(performance.now() - diedAt > CLAIM_MS - 500, "it did not wait");
    strictEqual(scene.provider.killed, 0);
  },
});

Deno.test("while the database does not answer, a renewal fails at once", async () => {
  // It takes connections and says nothing, as behind a wrong firewall.
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of silent) connections.push(connection);
  })();
  await using folder = new TempFolder();
  const { port } = silent.addr as Deno.NetAddr;
  const machine = await machineOf(
    {
      url: `postgres://tc@127.0.0.1:${port}/pool`,
      poolKey: newPoolKey(realEntropy),
    },
    folder.path,
    "one",
  );
  // The first use finds out, as the server's own rounds do.
  await rejects(() => machine.vault.exchange(), /Cannot reach the store/);
  const startedMs = performance.now();
  await rejects(
    () => machine.locks.acquire("a", { waitMs: 60_000 }),
    /Cannot reach the store/,
  );
  ok(performance.now() - startedMs < 500, "it waited for a connection");
  await machine.close();
  silent.close();
  await accepting;
  for (const connection of connections) connection.close();
});

/** Returns the refresh token that the store has. */
async function storedToken({ pool, folder }: Scene): Promise<string | null> {
  const reader = await machineOf(pool, folder.join("reader"), "reader");
  await reader.vault.exchange();
  const token = refreshTokenOf(await reader.vault.get(idOf("a")));
  await reader.close();
  return token;
}
