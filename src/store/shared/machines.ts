/**
 * The machines of a shared pool: each says every few seconds that it is there,
 * and how many requests it has in flight.
 *
 * @module
 */

import type { MachineCounts, OwnCounts } from "../../core/pool/headcount.ts";
import { type Instant, instantFromMs, SECOND_MS } from "../../core/time.ts";
import type { SharedDatabase, Sql } from "./database.ts";
import type { Membership } from "./membership.ts";

/** A machine that has not been seen for this long has no requests in flight. */
export const ALIVE_MS = 10 * SECOND_MS;

/** A machine as the store knows it. All times are the database's. */
export interface Machine {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly joinedAt: Instant;
  readonly seenAt: Instant;
  /** How long ago that was, by the database's clock, in milliseconds. */
  readonly seenMsAgo: number;
  /** How far the database's clock is ahead of the machine's, in milliseconds. */
  readonly clockOffsetMs: number;
  /** Its requests in flight. */
  readonly requests: number;
}

interface Beat {
  readonly version: string;
  readonly counts: OwnCounts;
  /** The offset that the last beat measured; 0 at the first. */
  readonly clockOffsetMs: number;
}

/** Returns all machines, in the order in which they joined. */
export async function machinesOf(
  database: SharedDatabase,
): Promise<readonly Machine[]> {
  return await database.run((sql) => readMachines(sql));
}

/**
 * Says that this machine is there. Throws TcError `store_away`.
 */
export async function beat(
  database: SharedDatabase,
  { machine, name }: Membership,
  { version, counts, clockOffsetMs }: Beat,
): Promise<Pulse> {
  return await database.run(async (sql) => {
    // One statement: at rest a machine asks for nothing else.
    const rows = await sql<
      (OtherMachine & { readonly now: number; readonly schema: number })[]
    >`
      WITH beat AS (
        INSERT INTO tc.machines (id, name, version, clock_offset_ms, counts)
        VALUES (${machine}, ${name}, ${version}, ${clockOffsetMs},
          ${sql.json(counts as never)})
        ON CONFLICT (id) DO UPDATE SET name = excluded.name,
          version = excluded.version, seen_at = now(),
          clock_offset_ms = excluded.clock_offset_ms,
          counts = excluded.counts
      ), time AS (
        SELECT extract(epoch FROM now())::float8 * 1000 AS now,
          (SELECT max(version) FROM tc.schema) AS schema
      )
      SELECT time.now, time.schema, id, counts,
        extract(epoch FROM now() - seen_at)::float8 * 1000 AS "seenMsAgo"
      FROM time LEFT JOIN tc.machines ON id <> ${machine} AND left_at IS NULL`;
    return {
      databaseMs: rows[0]?.now ?? 0,
      schema: rows[0]?.schema ?? 0,
      others: rows.flatMap(({ id, seenMsAgo, counts }) =>
        id === null || counts === null || (seenMsAgo ?? Infinity) > ALIVE_MS
          ? []
          : [{ machine: id, ...counts }]
      ),
    };
  });
}

/** What the database says at each beat. */
interface Pulse {
  readonly databaseMs: number;
  /** The version of the tables. */
  readonly schema: number;
  /** The last word of each other machine that was seen lately. */
  readonly others: readonly MachineCounts[];
}

/** Null where this machine is the only one. */
interface OtherMachine {
  readonly id: string | null;
  readonly seenMsAgo: number | null;
  readonly counts: OwnCounts | null;
}

/** Takes a machine out of the list. Its row stays: its requests need its name. */
export async function removeMachine(
  database: SharedDatabase,
  machine: string,
): Promise<void> {
  await database.run((sql) =>
    sql`UPDATE tc.machines SET left_at = now() WHERE id = ${machine}`
  );
}

interface MachineRow {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly joined: number;
  readonly seen: number;
  readonly ago: number;
  readonly offset: number;
  readonly counts: OwnCounts;
}

async function readMachines(sql: Sql): Promise<readonly Machine[]> {
  const rows = await sql<MachineRow[]>`
    SELECT id, name, version, counts,
      clock_offset_ms AS "offset",
      extract(epoch FROM joined_at)::float8 * 1000 AS joined,
      extract(epoch FROM seen_at)::float8 * 1000 AS seen,
      extract(epoch FROM now() - seen_at)::float8 * 1000 AS ago
    FROM tc.machines WHERE left_at IS NULL ORDER BY joined_at, id`;
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    version: row.version,
    joinedAt: instantFromMs(Math.round(row.joined)),
    seenAt: instantFromMs(Math.round(row.seen)),
    seenMsAgo: Math.round(row.ago),
    clockOffsetMs: Math.round(row.offset),
    requests: Object.values(row.counts.accounts)
      .reduce((sum, { inFlight }) => sum + inFlight, 0),
  }));
}
