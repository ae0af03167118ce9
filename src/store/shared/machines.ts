/**
 * The machines of a shared pool: each says every few seconds that it is there,
 * and how many requests it has in flight.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";
import { type Instant, instantFromMs, SECOND_MS } from "../../core/time.ts";
import type { SharedDatabase, Sql } from "./database.ts";
import type { Membership } from "./membership.ts";

/** A machine that has not been seen for this long has no requests in flight. */
export const ALIVE_MS = 10 * SECOND_MS;

/** Requests in flight, by account. */
type InFlight = Readonly<Record<string, number>>;

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
  readonly inFlight: InFlight;
}

interface Beat {
  readonly version: string;
  readonly inFlight: InFlight;
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
  { version, inFlight, clockOffsetMs }: Beat,
): Promise<Pulse> {
  return await database.run(async (sql) => {
    // One statement: at rest a machine asks for nothing else.
    const rows = await sql<
      (OtherMachine & { readonly now: number; readonly schema: number })[]
    >`
      WITH beat AS (
        INSERT INTO tc.machines (id, name, version, clock_offset_ms, in_flight)
        VALUES (${machine}, ${name}, ${version}, ${clockOffsetMs},
          ${sql.json(inFlight)})
        ON CONFLICT (id) DO UPDATE SET name = excluded.name,
          version = excluded.version, seen_at = now(),
          clock_offset_ms = excluded.clock_offset_ms,
          in_flight = excluded.in_flight
      ), time AS (
        SELECT extract(epoch FROM now())::float8 * 1000 AS now,
          (SELECT max(version) FROM tc.schema) AS schema
      )
      SELECT time.now, time.schema, id, in_flight AS "inFlight",
        extract(epoch FROM now() - seen_at)::float8 * 1000 AS "seenMsAgo"
      FROM time LEFT JOIN tc.machines ON id <> ${machine} AND left_at IS NULL`;
    return {
      databaseMs: rows[0]?.now ?? 0,
      schema: rows[0]?.schema ?? 0,
      inFlight: inFlightOf(rows),
    };
  });
}

/** What the database says at each beat. */
interface Pulse {
  readonly databaseMs: number;
  /** The version of the tables. */
  readonly schema: number;
  /** Requests that other machines have in flight, by account. */
  readonly inFlight: ReadonlyMap<AccountId, number>;
}

/** Null where this machine is the only one. */
interface OtherMachine {
  readonly id: string | null;
  readonly seenMsAgo: number | null;
  readonly inFlight: InFlight | null;
}

function inFlightOf(
  machines: readonly OtherMachine[],
): ReadonlyMap<AccountId, number> {
  const sums = new Map<AccountId, number>();
  for (const { seenMsAgo, inFlight } of machines) {
    if (seenMsAgo === null || seenMsAgo > ALIVE_MS) continue;
    for (const [account, count] of Object.entries(inFlight ?? {})) {
      const key = account as AccountId;
      sums.set(key, (sums.get(key) ?? 0) + count);
    }
  }
  return sums;
}

/** Removes a machine from the list; its ledger rows stay. */
export async function removeMachine(
  database: SharedDatabase,
  machine: string,
): Promise<void> {
  // Its row stays: the names of its requests are in it.
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
  readonly inFlight: InFlight;
}

async function readMachines(sql: Sql): Promise<readonly Machine[]> {
  const rows = await sql<MachineRow[]>`
    SELECT id, name, version, in_flight AS "inFlight",
      clock_offset_ms AS "offset",
      extract(epoch FROM joined_at)::float8 * 1000 AS joined,
      extract(epoch FROM seen_at)::float8 * 1000 AS seen,
      extract(epoch FROM now() - seen_at)::float8 * 1000 AS ago
    FROM tc.machines WHERE left_at IS NULL ORDER BY joined_at, id`;
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    version: row.version,
    joinedAt: instantFromMs(row.joined),
    seenAt: instantFromMs(row.seen),
    seenMsAgo: row.ago,
    clockOffsetMs: row.offset,
    inFlight: row.inFlight,
  }));
}
