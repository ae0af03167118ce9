/** The tables of a shared pool: who may change them, and what is in them. */

import { match, ok, rejects, strictEqual } from "node:assert/strict";
import { HAS_POSTGRES, Postgres } from "../../fixtures/postgres.ts";
import { machineOf, newPool } from "../../fixtures/shared_kit.ts";
import {
  checkStore,
  markPool,
  migrateStore,
  STORE_SCHEMA,
  storeVersion,
} from "../../../src/store/shared/schema.ts";
import { beat } from "../../../src/store/shared/machines.ts";
import { newsRows, readNews } from "../../../src/store/shared/knowledge.ts";
import { instantFromMs } from "../../../src/core/time.ts";
import { TempFolder } from "../../fixtures/temp_folder.ts";
import { idOf, oauthEntry } from "../../fixtures/vault_kit.ts";
import { realClock, realEntropy } from "../../fixtures/real_ports.ts";
import { storeAddress } from "../../../src/store/shared/address.ts";
import { SharedDatabase } from "../../../src/store/shared/database.ts";
import { newPoolKey } from "../../../src/store/shared/pool_seal.ts";

/** Machines whose clocks are right. */
const CLOCK = {
  toDatabase: (at: number) => at,
  fromDatabase: (ms: number) => instantFromMs(ms),
};

Deno.test({
  name: "ten machines that make the tables at once make them once",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using postgres = await Postgres.start();
    await using folder = new TempFolder();
    const address = {
      url: await postgres.database(),
      poolKey: newPoolKey(realEntropy),
    };
    const machines = await Promise.all(
      Array.from(
        { length: 10 },
        (_, index) => machineOf(address, folder.join(`m${index}`), `m${index}`),
      ),
    );
    await Promise.all(machines.map(({ database }) => migrateStore(database)));
    const marks = await Promise.allSettled(
      machines.map(({ database }) => markPool(database, new Uint8Array([1]))),
    );
    strictEqual(marks.filter(({ status }) => status === "fulfilled").length, 1);
    for (const one of machines) await one.close();
  },
});

Deno.test({
  name: "an older tc refuses the tables of a newer one, and leaves them alone",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using postgres = await Postgres.start();
    await using folder = new TempFolder();
    const pool = await newPool(await postgres.database(), folder.join("m"));
    const machine = await machineOf(pool, folder.join("one"), "one");
    await machine.vault.put(oauthEntry("a", "1"));
    const before = await postgres.dump("pool_1");
    await postgres.sql("pool_1", "UPDATE tc.schema SET version = 99");
    await rejects(() => checkStore(machine.database), /a newer tc has changed/);
    // Nothing gets through to the tables any more, and serving goes on.
    strictEqual((await machine.vault.get(idOf("a")))?.label, "a");
    await rejects(
      () => machine.vault.update(idOf("a"), (entry) => entry),
      /a newer tc/,
    );
    await machine.vault.put(oauthEntry("b", "2"));
    await postgres.sql(
      "pool_1",
      `UPDATE tc.schema SET version = ${STORE_SCHEMA}`,
    );
    strictEqual(
      withoutVersion(await postgres.dump("pool_1")),
      withoutVersion(before),
    );
    // The newer one is gone: what was kept is sent.
    await checkStore(machine.database);
    await machine.vault.exchange();
    strictEqual(
      (await postgres.sql("pool_1", "SELECT count(*) FROM tc.accounts")).trim(),
      "2",
    );
    await machine.close();
  },
});

/** `pg_dump` writes a random word into each dump. */
function withoutVersion(dump: string): string {
  return dump.replace(/\\(un)?restrict \S+/g, "");
}

Deno.test({
  name: "rows of a version that is not known are left alone",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using postgres = await Postgres.start();
    await using folder = new TempFolder();
    const pool = await newPool(await postgres.database(), folder.join("m"));
    const machine = await machineOf(pool, folder.join("one"), "one");
    await postgres.sql(
      "pool_1",
      `INSERT INTO tc.windows VALUES ('a', '5h', '{"odd": 1}', now(), 'other');
       INSERT INTO tc.refusals VALUES ('a', 'new', '{"kind": "new"}', now(), 'other')`,
    );
    const news = newsRows({
      windows: [{
        accountId: idOf("a"),
        window: {
          key: "7d",
          utilization: 0.5,
          status: "allowed",
          lengthMs: 1,
          resetsAt: null,
          observedAt: realClock.now(),
          source: "response_headers",
          family: null,
        },
      }],
      refusals: [],
    }, CLOCK);
    await beat(machine.database, { ...machine.membership, machine: "id-two" }, {
      version: "1",
      counts: { accounts: {}, stalled: 0 },
      settings: { policy: "price", paidMax: null },
      clockOffsetMs: 0,
      news,
    });
    const known = await readNews(machine.database, {
      machine: "id-one",
      clock: CLOCK,
    });
    strictEqual(known.windows.length, 1);
    strictEqual(known.refusals.length, 0);
    await machine.close();
  },
});

Deno.test({
  name: "a dump of the database holds no secret, and another role sees nothing",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using postgres = await Postgres.start();
    await using folder = new TempFolder();
    const pool = await newPool(await postgres.database(), folder.join("m"));
    const machine = await machineOf(pool, folder.join("one"), "one");
    await machine.vault.put(oauthEntry("a", "CANARY-token"));
    const dump = await postgres.dump("pool_1");
    match(dump, /COPY tc\.accounts/);
    ok(!dump.includes("CANARY"));
    const hex = [...new TextEncoder().encode("CANARY")]
      .map((byte) => byte.toString(16)).join("");
    ok(!dump.includes(hex));
    ok(!dump.includes("a@example.test"), "an e-mail address is in the dump");
    ok(!dump.includes(pool.poolKey));
    await postgres.sql("postgres", "CREATE ROLE stranger LOGIN");
    await rejects(
      () => postgres.sql("pool_1", "TABLE tc.accounts", "stranger"),
      /permission denied/,
    );
    await machine.close();
  },
});

Deno.test({
  name:
    "a database that is away or wrong is told in words, without the password",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using postgres = await Postgres.start();
    const database = (url: string) =>
      new SharedDatabase({
        address: storeAddress(url),
        authorities: "",
        connections: 1,
      });
    const nowhere = database("postgres://me:CANARY@127.0.0.1:9/x");
    await rejects(() => storeVersion(nowhere), (error: Error) => {
      match(error.message, /Cannot reach the store me@127\.0\.0\.1:9\/x/);
      ok(!error.message.includes("CANARY"));
      return true;
    });
    await nowhere.close();
    const missing = database(postgres.url("nothing"));
    await rejects(
      () => storeVersion(missing),
      /Cannot use the store .*"nothing" does not exist/,
    );
    await missing.close();
    for (
      const [url, words] of [
        ["mysql://x/y", /begin with postgres/],
        ["postgres://me@/x", /name a host/],
        ["postgres://me@host", /names no database/],
        ["postgres://me@host/x?sslmode=prefer", /sslmode must be/],
        ["postgres://me@host/x?odd=1", /does not know its parameter odd/],
      ] as const
    ) {
      await rejects(async () => void await storeAddress(url), words);
    }
    strictEqual(storeAddress("postgres://db.example/tc").tls, "checked");
    strictEqual(storeAddress("postgres://[::1]/tc").tls, "off");
  },
});
