/**
 * The tables of a shared pool, and how an older database becomes a newer one.
 * A step that has shipped never changes; new ones are added at the end.
 *
 * @module
 */

import { EXIT, TcError } from "../../errors.ts";
import type { SharedDatabase, Sql } from "./database.ts";

/** Only one machine migrates at a time: the number of an advisory lock. */
const MIGRATION_LOCK = 0x7463_0001;

/**
 * All times are the database's own, so that machines with wrong clocks agree.
 * `sealed` is encrypted before it leaves a machine.
 */
const FIRST = `
CREATE TABLE tc.pool (
  mark bytea NOT NULL
);
CREATE TABLE tc.machines (
  id text PRIMARY KEY,
  name text NOT NULL,
  version text NOT NULL,
  joined_at timestamptz NOT NULL DEFAULT now(),
  seen_at timestamptz NOT NULL DEFAULT now(),
  left_at timestamptz,
  clock_offset_ms double precision NOT NULL DEFAULT 0,
  counts jsonb NOT NULL DEFAULT '{"accounts": {}, "stalled": 0}'
);
CREATE TABLE tc.accounts (
  id text PRIMARY KEY,
  sealed bytea,
  revision bigint NOT NULL DEFAULT 1,
  added_at timestamptz NOT NULL DEFAULT now(),
  changed_by text NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT now(),
  removed_at timestamptz,
  renewing_by text,
  renewing_run text,
  renewing_since timestamptz,
  renewed_by text,
  renewed_at timestamptz
);
CREATE TABLE tc.settings (
  account text NOT NULL DEFAULT '',
  name text NOT NULL,
  value jsonb NOT NULL,
  set_by text NOT NULL,
  set_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (account, name)
);
CREATE TABLE tc.windows (
  account text NOT NULL,
  key text NOT NULL,
  figures jsonb NOT NULL,
  observed_at timestamptz NOT NULL,
  machine text NOT NULL,
  PRIMARY KEY (account, key)
);
CREATE TABLE tc.refusals (
  account text NOT NULL,
  kind text NOT NULL,
  verdict jsonb NOT NULL,
  given_at timestamptz NOT NULL,
  machine text NOT NULL,
  PRIMARY KEY (account, kind)
);
CREATE TABLE tc.requests (
  machine text NOT NULL,
  sequence bigint NOT NULL,
  ended_at timestamptz NOT NULL,
  request jsonb NOT NULL,
  PRIMARY KEY (machine, sequence)
);
CREATE INDEX requests_by_end ON tc.requests (ended_at);
`;

/**
 * One machine at a time polls an account's usage, and no two machines have one
 * name: of those that have, all but the first get a part of their id.
 */
const POLLS_AND_NAMES = `
ALTER TABLE tc.accounts
  ADD COLUMN polled_by text,
  ADD COLUMN poll_after timestamptz,
  ADD COLUMN poll_throttles integer NOT NULL DEFAULT 0;
UPDATE tc.machines m SET name = m.name || '-' || left(m.id, 8)
WHERE m.left_at IS NULL AND EXISTS (
  SELECT 1 FROM tc.machines o
  WHERE o.left_at IS NULL AND lower(o.name) = lower(m.name) AND
    (o.joined_at, o.id) < (m.joined_at, m.id)
);
`;

const STORE_MIGRATIONS: readonly string[] = [FIRST, POLLS_AND_NAMES];

/** The version of the tables that this tc knows. */
export const STORE_SCHEMA = STORE_MIGRATIONS.length;

/** Notices of changes go here; each names what changed and who did it. */
export const CHANNEL = "tc";

/**
 * Creates the tables, or brings those of an older tc up to date, once, however
 * many machines try. Throws TcError `newer_store` if a newer tc has changed
 * them; nothing is touched then.
 */
export async function migrateStore(database: SharedDatabase): Promise<void> {
  await database.transaction(async (sql) => {
    await sql`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`;
    await sql.unsafe(
      "CREATE SCHEMA IF NOT EXISTS tc;" +
        "CREATE TABLE IF NOT EXISTS tc.schema (version integer NOT NULL)",
    );
    const version = await versionOf(sql);
    refuseNewer(version, database.place);
    const steps = STORE_MIGRATIONS.slice(version);
    for (const step of steps) await sql.unsafe(step);
    if (steps.length === 0) return;
    await sql`DELETE FROM tc.schema`;
    await sql`
      INSERT INTO tc.schema (version) VALUES (${STORE_MIGRATIONS.length})`;
  });
}

/** Returns the version of the tables; 0 if there are none. Throws `newer_store`. */
export async function storeVersion(database: SharedDatabase): Promise<number> {
  const version = await database.run(async (sql) => {
    const [found] = await sql<{ found: boolean }[]>`
      SELECT to_regclass('tc.schema') IS NOT NULL AS found`;
    return found?.found === true ? await versionOf(sql) : 0;
  });
  refuseNewer(version, database.place);
  return version;
}

/** Returns the mark that the pool's key made, or null where there is no pool. */
export async function poolMark(
  database: SharedDatabase,
): Promise<Uint8Array | null> {
  const [row] = await database.run((sql) =>
    sql<{ mark: Uint8Array }[]>`SELECT mark FROM tc.pool`
  );
  return row?.mark ?? null;
}

/**
 * Makes the tables and marks them as those of one key. Throws TcError if
 * another machine has just made a pool there.
 */
export async function markPool(
  database: SharedDatabase,
  mark: Uint8Array,
): Promise<void> {
  await migrateStore(database);
  const isOurs = await database.transaction(async (sql) => {
    await sql`SELECT pg_advisory_xact_lock(${MIGRATION_LOCK})`;
    const [known] = await sql`SELECT 1 FROM tc.pool`;
    if (known !== undefined) return false;
    await sql`INSERT INTO tc.pool (mark) VALUES (${mark})`;
    return true;
  });
  if (isOurs) return;
  throw new TcError("Cannot join: another machine has just made a pool there", {
    code: "cannot_join",
    source: "user",
    exitCode: EXIT.tryLater,
    hint: "tc store invite   prints the invitation, on that machine",
  });
}

/**
 * Checks that the tables are those of this version, and brings those of an older
 * one up to date. Throws TcError `no_store` or `newer_store`.
 */
export async function checkStore(database: SharedDatabase): Promise<void> {
  await database.inspect(async () => {
    const version = await storeVersion(database);
    if (version === STORE_MIGRATIONS.length) return;
    if (version > 0) return await migrateStore(database);
    throw new TcError(
      `Cannot use the store ${database.place}: it holds no pool of tc`,
      {
        code: "no_store",
        source: "user",
        exitCode: EXIT.badData,
        hint: "tc store leave --force   and then tc store join",
      },
    );
  });
}

async function versionOf(sql: Sql): Promise<number> {
  const [row] = await sql<{ version: number }[]>`
    SELECT max(version) AS version FROM tc.schema`;
  return row?.version ?? 0;
}

function refuseNewer(version: number, place: string): void {
  if (version <= STORE_MIGRATIONS.length) return;
  throw new TcError(
    `Cannot use the store ${place}: a newer tc has changed it (schema ${version}, this one knows ${STORE_MIGRATIONS.length})`,
    {
      code: "newer_store",
      source: "user",
      exitCode: EXIT.badData,
      hint: "tc upgrade",
    },
  );
}
