/** The machines of a pool: their names, their list, and what one does for all. */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { HAS_POSTGRES, Postgres } from "../../fixtures/postgres.ts";
import { machineOf, newPool } from "../../fixtures/shared_kit.ts";
import { realClock } from "../../fixtures/real_ports.ts";
import { TempFolder } from "../../fixtures/temp_folder.ts";
import { idOf, oauthEntry } from "../../fixtures/vault_kit.ts";
import {
  beat,
  dutiesOf,
  enter,
  freeName,
  machinesOf,
  paidMaxTrouble,
  removeMachine,
} from "../../../src/store/shared/machines.ts";
import { checkStore, STORE_SCHEMA } from "../../../src/store/shared/schema.ts";
import type { SharedPool } from "../../../src/store/shared/open_shared.ts";

interface Machines extends AsyncDisposable {
  readonly postgres: Postgres;
  machine(id: string, name?: string): Promise<SharedPool>;
}

async function machines(): Promise<Machines> {
  const postgres = await Postgres.start();
  const folder = new TempFolder();
  const pool = await newPool(await postgres.database(), folder.join("maker"));
  const opened: SharedPool[] = [];
  return {
    postgres,
    machine: async (id, name = id) => {
      const one = await machineOf(pool, folder.join(id), id);
      opened.push(one);
      return { ...one, membership: { ...one.membership, name } };
    },
    async [Symbol.asyncDispose]() {
      for (const one of opened) await one.close();
      await folder[Symbol.asyncDispose]();
      await postgres[Symbol.asyncDispose]();
    },
  };
}

const STILL = {
  version: "1",
  clockOffsetMs: 0,
  settings: { policy: "price", paidMax: null },
  news: { figures: [], verdicts: [] },
} as const;
const NOTHING = { accounts: {}, stalled: 0 };

async function beatOf({ database, membership }: SharedPool) {
  return await beat(database, membership, { ...STILL, counts: NOTHING });
}

async function namesIn({ database }: SharedPool): Promise<readonly string[]> {
  return (await machinesOf(database)).map(({ name }) => name);
}

Deno.test("a name that is taken gets the first free number, in any case of letters", () => {
  const present = ["Laptop", "laptop-2", "box"].map((name) => ({ name }));
  strictEqual(freeName("laptop", present), "laptop-3");
  strictEqual(freeName("desk", present), "desk");
  // Reports use these for the machine that they are drawn on.
  strictEqual(freeName("this", present), "this-2");
});

Deno.test("limits on paid work that differ between machines are told", () => {
  const machine = (id: string, paidMax: string | null) => ({
    ...{ id, name: id, version: "1", seenMsAgo: 0, clockOffsetMs: 0 },
    ...{ joinedAt: realClock.now(), seenAt: realClock.now(), requests: 0 },
    settings: { policy: "price", paidMax },
  });
  const three = [machine("a", "20/day"), machine("b", null)];
  strictEqual(
    paidMaxTrouble([...three, machine("c", "20/day")], "a"),
    "paid.max is 20/day here, and no limit on b: each machine keeps to its own",
  );
  strictEqual(paidMaxTrouble([machine("a", null)], "a"), null);
  // This machine's server has not run yet: its limit is not known.
  const silent = { ...machine("d", null), settings: null };
  strictEqual(paidMaxTrouble([...three, silent], "d"), null);
});

Deno.test({
  name: "ten machines that join at once with one name get ten names",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using scene = await machines();
    const all: SharedPool[] = [];
    for (let index = 0; index < 10; index++) {
      all.push(await scene.machine(`m${index}`, "laptop"));
    }
    const names = await Promise.all(
      all.map(({ database, membership }) => enter(database, membership, "1")),
    );
    strictEqual(new Set(names).size, 10);
    ok(names.includes("laptop") && names.includes("laptop-10"));
    // Entering once more changes nothing.
    for (const [index, { database, membership }] of all.entries()) {
      strictEqual(await enter(database, membership, "1"), names[index]);
    }
  },
});

Deno.test({
  name:
    "a machine taken out of the list frees its name and its polls, and is told at its next word",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using scene = await machines();
    const old = await scene.machine("old", "laptop");
    const fresh = await scene.machine("fresh", "laptop");
    await old.vault.put(oauthEntry("a", "1"));
    await enter(old.database, old.membership, "1");
    strictEqual((await beatOf(old)).isListed, true);
    strictEqual((await old.pollTurns.take(idOf("a"), 60_000)).kind, "ours");
    deepStrictEqual(await dutiesOf(old.database, "id-old"), {
      polls: ["a"],
      renews: [],
    });
    await removeMachine(fresh.database, "id-old");
    deepStrictEqual(await namesIn(fresh), []);
    strictEqual((await fresh.pollTurns.take(idOf("a"), 60_000)).kind, "ours");
    strictEqual(await enter(fresh.database, fresh.membership, "1"), "laptop");
    // It is there again after all.
    const pulse = await beatOf(old);
    strictEqual(pulse.isListed, false);
    deepStrictEqual(pulse.machines.map(({ name }) => name), ["laptop"]);
    strictEqual(await enter(old.database, old.membership, "1"), "laptop-2");
    strictEqual((await beatOf(old)).isListed, true);
    deepStrictEqual([...await namesIn(fresh)].sort(), ["laptop", "laptop-2"]);
  },
});

Deno.test({
  name: "of two machines one polls, and the other only when it has stopped",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using scene = await machines();
    const [one, other] = [
      await scene.machine("one"),
      await scene.machine("other"),
    ];
    await one.vault.put(oauthEntry("a", "1"));
    const id = idOf("a");
    const firsts = await Promise.all(
      [one, other].map(({ pollTurns }) => pollTurns.take(id, 1_000)),
    );
    deepStrictEqual(firsts.map(({ kind }) => kind).sort(), ["ours", "theirs"]);
    const [polls, waits] = firsts[0]?.kind === "ours"
      ? [one.pollTurns, other.pollTurns]
      : [other.pollTurns, one.pollTurns];
    // The one that polls goes on at its own pace.
    strictEqual((await polls.take(id, 1_000)).kind, "ours");
    // It was told to wait, and so does everybody.
    await polls.hold(id, 2_000, 3);
    const turn = await waits.take(id, 1_000);
    ok(turn.kind === "theirs" && turn.waitMs > 1_500, JSON.stringify(turn));
    await realClock.sleep(turn.waitMs + 50);
    deepStrictEqual(await waits.take(id, 1_000), {
      kind: "ours",
      throttles: 3,
    });
    strictEqual((await polls.take(id, 1_000)).kind, "theirs");
    // What the store does not have is each machine's own.
    strictEqual((await polls.take(idOf("b"), 1_000)).kind, "ours");
    await scene.postgres.kill();
    strictEqual((await polls.take(id, 1_000)).kind, "ours");
  },
});

Deno.test({
  name:
    "a store of the first version is brought up to date, its names made different",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using scene = await machines();
    const one = await scene.machine("one");
    const { postgres } = scene;
    await postgres.sql(
      "pool_1",
      `ALTER TABLE tc.accounts DROP COLUMN polled_by, DROP COLUMN poll_after,
         DROP COLUMN poll_throttles;
       UPDATE tc.schema SET version = 1;
       INSERT INTO tc.machines (id, name, version, joined_at) VALUES
         ('11111111-a', 'laptop', '1', now() - interval '2 h'),
         ('22222222-b', 'Laptop', '1', now() - interval '1 h')`,
    );
    await rejects(() =>
      one.database.run((sql) =>
        sql`
      SELECT polled_by FROM tc.accounts`
      ), /polled_by/);
    await checkStore(one.database);
    deepStrictEqual(await namesIn(one), ["laptop", "Laptop-22222222"]);
    strictEqual(
      (await postgres.sql("pool_1", "SELECT version FROM tc.schema")).trim(),
      String(STORE_SCHEMA),
    );
  },
});
