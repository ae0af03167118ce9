/** The ledger against the fake provider's own counts, token by token. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import type { Sum } from "../../src/demo/provider/records.ts";
import { simulateSessions } from "../../src/demo/traffic/traffic.ts";
import type { TokenUsage } from "../../src/core/usage.ts";
import { databasePath, openDatabase } from "../../src/store/ledger/database.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { PoolFolder } from "../fixtures/pool_server.ts";
import { trials } from "../fixtures/trials.ts";

type Sums = Record<string, TokenUsage & { readonly requests: number }>;

/** Traffic without pauses is no person's; here the tokens are what counts. */
const UNLIMITED = { concurrency: 1_000, requestsPerMinute: 1_000_000 };

const COLUMNS = {
  account: "account",
  model: "coalesce(model_answered, model_asked)",
  session: "session",
} as const;

/** Answered messages of the ledger, summed by one column. */
function ledgerSums(folder: string, by: keyof typeof COLUMNS): Sums {
  const database = openDatabase(databasePath(folder), "read_only");
  const rows = database.prepare(
    `SELECT names.text AS key, count(*) AS requests, sum(input) AS input,
       sum(cache_read) AS cacheRead, sum(cache_write_5m) AS cacheWrite5m,
       sum(cache_write_1h) AS cacheWrite1h, sum(output) AS output
     FROM requests JOIN names ON names.id = ${COLUMNS[by]}
     WHERE input + cache_read + cache_write_5m + cache_write_1h > 0
     GROUP BY 1`,
  ).all();
  database.close();
  return Object.fromEntries(rows.map(({ key, ...sums }) => [
    String(key),
    sums as unknown as Sums[string],
  ]));
}

/** The same from the sums that reports are drawn from. */
function quarterSums(folder: string, by: keyof typeof COLUMNS): Sums {
  const database = openDatabase(databasePath(folder), "read_only");
  const rows = database.prepare(
    `SELECT names.text AS key, sum(input) AS input,
       sum(cache_read) AS cacheRead, sum(cache_write_5m) AS cacheWrite5m,
       sum(cache_write_1h) AS cacheWrite1h, sum(output) AS output
     FROM quarters JOIN names ON names.id = ${by}
     GROUP BY 1 HAVING sum(input + cache_read + cache_write_5m) > 0`,
  ).all();
  database.close();
  return Object.fromEntries(rows.map(({ key, ...sums }) => [
    String(key),
    sums as unknown as Sums[string],
  ]));
}

/** Answered messages that do not name the provider's own id. */
function withoutProviderId(folder: string): number {
  const database = openDatabase(databasePath(folder), "read_only");
  const row = database.prepare(
    `SELECT count(*) AS n FROM requests
     WHERE input > 0 AND (provider_id IS NULL OR provider_id NOT LIKE 'req_%')`,
  ).get();
  database.close();
  return Number(row?.["n"]);
}

/** What the answers said; an observer can know no more. */
function truthOf(
  sums: Readonly<Record<string, Sum>>,
  rename: (key: string) => string = (key) => key,
): Sums {
  return Object.fromEntries(
    Object.entries(sums).map(([key, { requests, reported }]) => [
      rename(key),
      { requests, ...reported },
    ]),
  );
}

function withoutCounts(sums: Sums): Record<string, TokenUsage> {
  return Object.fromEntries(
    Object.entries(sums).map(([key, { requests: _, ...usage }]) => [
      key,
      usage,
    ]),
  );
}

/** Key order and prototypes apart. */
function plain(value: unknown): unknown {
  const keys: string[] = [];
  JSON.stringify(value, (key, part) => (keys.push(key), part));
  return JSON.parse(JSON.stringify(value, [...new Set(keys)].sort()));
}

Deno.test("the ledger's sums equal the provider's, to the token", async () => {
  await using api = await startScriptedApi({ seed: 7, encodings: ["gzip"] });
  for (const name of ["work", "home", "spare"]) {
    api.account(name, { tier: "max_20x" }).limits(UNLIMITED);
  }
  await using pool = new PoolFolder();
  const names = await pool.fill(api);
  const server = await pool.start();
  api.faults({
    seed: 3,
    rate: {
      burst: 0.01,
      overloaded: 0.01,
      server_error: 0.01,
      error_event: 0.01,
      truncated: 0.01,
      cut: 0.01,
    },
  });
  await simulateSessions({
    baseUrl: server.baseUrl,
    clock: realClock,
    seed: 11,
    pace: "instant",
    sessions: 12,
    requestsMax: trials(1_000, 20_000),
    prefixTokens: 2_000,
    compactionTokens: 20_000,
  }).done;
  await api.idle();
  await server.stop();

  strictEqual(withoutProviderId(pool.stateFolder), 0);
  const truth = api.truth();
  const idOf = (label: string) =>
    [...names].find(([, name]) => name === label)?.[0] ?? label;
  ok(truth.total.requests > trials(800, 16_000));
  deepStrictEqual(
    plain(ledgerSums(pool.stateFolder, "account")),
    plain(truthOf(truth.byAccount, idOf)),
  );
  deepStrictEqual(
    plain(ledgerSums(pool.stateFolder, "model")),
    plain(truthOf(truth.byModel)),
  );
  deepStrictEqual(
    plain(ledgerSums(pool.stateFolder, "session")),
    plain(truthOf(truth.bySession)),
  );
  for (const by of ["account", "model", "session"] as const) {
    deepStrictEqual(
      plain(quarterSums(pool.stateFolder, by)),
      plain(withoutCounts(ledgerSums(pool.stateFolder, by))),
    );
  }
});

Deno.test("a killed server loses at most a second of the ledger", async () => {
  await using api = await startScriptedApi({ seed: 5 });
  api.account("work", { tier: "max_20x" }).limits(UNLIMITED);
  await using pool = new PoolFolder();
  await pool.fill(api);
  const kills: number[] = [];
  // What ended in the second before a kill may be lost with it.
  const mayBeLost = (endedAt: number) =>
    kills.some((at) => endedAt >= at - 1_000 && endedAt < at + 1_000);
  for (let round = 0; round < trials(2, 20); round++) {
    const server = await pool.start();
    const traffic = simulateSessions({
      baseUrl: server.baseUrl,
      clock: realClock,
      seed: `kill-${round}`,
      pace: "instant",
      sessions: 4,
      prefixTokens: 2_000,
      compactionTokens: 20_000,
      retriesMax: 0,
    });
    await realClock.sleep(1_500 + 137 * round);
    kills.push(Date.now());
    await server.kill();
    await traffic.stop();
    await api.idle();
    const due = api.requests("/v1/messages").filter((request) =>
      request.isAccepted && request.endedAt !== null &&
      request.ending === "complete" && !mayBeLost(request.endedAt)
    ).length;
    const { rows, distinct } = rowCounts(pool.stateFolder);
    ok(due > 0);
    ok(rows >= due, `${rows} rows, ${due} due`);
    strictEqual(rows, distinct);
  }
});

function rowCounts(folder: string): { rows: number; distinct: number } {
  const database = openDatabase(databasePath(folder), "read_only");
  const row = database.prepare(
    "SELECT count(*) AS rows, count(DISTINCT id) AS ids FROM requests",
  ).get();
  database.close();
  return { rows: Number(row?.["rows"]), distinct: Number(row?.["ids"]) };
}
