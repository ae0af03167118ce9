/** Several processes on one login, and processes that die in the middle of it. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { after, HOUR_MS } from "../../src/core/time.ts";
import { LineChild } from "../fixtures/line_child.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { entryOf } from "../fixtures/refresh_kit.ts";
import { report } from "../fixtures/report.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { type Family, TokenServer } from "../fixtures/token_server.ts";
import { trials } from "../fixtures/trials.ts";
import { fileVault, idOf, refreshTokenOf } from "../fixtures/vault_kit.ts";

const A = idOf("a");
/** Under wine a parent hears no more of its children when there are eight. */
const PROCESSES = Deno.build.os === "windows" ? 6 : 8;
const SCRIPT = "refresh_child.ts";

/** A login whose token has an hour left, in the vault in `folder`. */
async function signIn(folder: string, server: TokenServer): Promise<Family> {
  const family = server.mint("a");
  const { vault } = await fileVault(folder);
  await vault.put(entryOf(family, after(realClock.now(), HOUR_MS)));
  return family;
}

function children(count: number, args: readonly string[]): LineChild[] {
  return Array.from({ length: count }, () => new LineChild(SCRIPT, args));
}

Deno.test("many processes at the end of a token: no family is lost, one call a round", async () => {
  await using folder = new TempFolder();
  await using server = new TokenServer();
  await signIn(folder.path, server);
  const rounds = trials(8, 50);
  const processes = children(PROCESSES, [folder.path, server.origin]);
  try {
    for (const child of processes) strictEqual(await child.read(), "ready");
    for (let round = 0; round < rounds; round++) {
      for (const child of processes) await child.write("9");
      const answers = await Promise.all(processes.map((child) => child.read()));
      deepStrictEqual(new Set(answers), new Set(["200"]), `round ${round}`);
      strictEqual(server.tokenCalls.length, round + 1);
    }
    strictEqual(server.killed, 0);
    const { vault } = await fileVault(folder.path);
    const family = server.families.get("a");
    strictEqual(refreshTokenOf(await vault.get(A)), family?.refreshToken);
    // Every process ends with the newest token.
    for (const child of processes) await child.write("0");
    const last = await Promise.all(processes.map((child) => child.read()));
    deepStrictEqual(new Set(last), new Set(["200"]));
    report(`${rounds} rounds of ${PROCESSES} processes: 0 families lost`);
  } finally {
    for (const child of processes) await child[Symbol.asyncDispose]();
  }
});

/** Whether what stands in the vault after a death can be gone on with. */
async function afterDeath(
  folder: string,
  server: TokenServer,
  family: Family,
): Promise<"newest" | "older"> {
  const { vault } = await fileVault(folder);
  const { entries, damaged } = await vault.list();
  deepStrictEqual(damaged, []);
  strictEqual(entries.length, 1);
  const token = refreshTokenOf(entries[0] ?? null);
  if (Deno.build.os !== "windows") {
    const { mode } = await Deno.stat(`${folder}/a.vault`);
    strictEqual((mode ?? 0) & 0o777, 0o600);
  }
  if (token === family.refreshToken) return "newest";
  // An older one may stand there only if nobody has used the newest.
  ok(!server.uses.some((use) => use.token === family.accessToken));
  return "older";
}

Deno.test("kill -9 at each step between the answer and the rename", async () => {
  const expected = {
    answered: "older",
    opened: "older",
    written: "newest",
    synced: "newest",
    renamed: "newest",
    folder_synced: "newest",
  } as const;
  for (let round = 0; round < trials(1, 10); round++) {
    for (const [step, outcome] of Object.entries(expected)) {
      await using folder = new TempFolder();
      await using server = new TokenServer();
      const family = await signIn(folder.path, server);
      await using victim = new LineChild(SCRIPT, [
        folder.path,
        server.origin,
        step,
      ]);
      strictEqual(await victim.read(), "ready");
      await victim.write("9");
      strictEqual(await victim.read(), null, `it survived ${step}`);
      strictEqual(await afterDeath(folder.path, server, family), outcome, step);

      await using heir = new LineChild(SCRIPT, [folder.path, server.origin]);
      strictEqual(await heir.read(), "ready");
      await heir.write("20");
      // A successor that never reached a disk is lost with its answer: one try
      // with the old token, then the person is asked, and nothing is wiped.
      const isLost = outcome === "older";
      strictEqual(await heir.read(), isLost ? "needs_login" : "200", step);
      strictEqual(server.killed, isLost ? 1 : 0);
      strictEqual(server.tokenCalls.length, 2);
      const { vault } = await fileVault(folder.path);
      ok(await vault.get(A) !== null);
    }
  }
});

Deno.test("kill -9 at random instants: what was used is on disk, the store is whole", async () => {
  await using folder = new TempFolder();
  await using server = new TokenServer();
  server.delayMs = 4;
  let family = await signIn(folder.path, server);
  const kills = trials(20, 500);
  const found = { newest: 0, older: 0 };
  for (let kill = 0; kill < kills; kill++) {
    await using victim = new LineChild(SCRIPT, [folder.path, server.origin]);
    strictEqual(await victim.read(), "ready");
    const dying = realClock.sleep(Math.random() * 60).then(() => victim.kill());
    for (;;) {
      await victim.write("9").catch(() => {});
      const line = await victim.read();
      if (line === null) break;
      strictEqual(line, "200", `kill ${kill}`);
    }
    await dying;
    // What the dead one sent may be worked on still.
    await server.idle();
    const state = await afterDeath(folder.path, server, family);
    found[state] += 1;
    // A login mends what died with an answer in flight.
    if (state === "older") family = await signIn(folder.path, server);
  }
  report(
    `${kills} kills: store whole after all of them, newest token on disk ` +
      `after ${found.newest}, answer lost in flight in ${found.older}, ` +
      `used and lost 0`,
  );
  strictEqual(server.killed, 0);
});
