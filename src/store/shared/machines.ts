/**
 * The machines of a shared pool: each says every few seconds that it is there,
 * and how many requests it has in flight.
 *
 * @module
 */

import type { MachineCounts, OwnCounts } from "../../core/pool/headcount.ts";
import { type Instant, instantFromMs, SECOND_MS } from "../../core/time.ts";
import type { SharedDatabase, Sql } from "./database.ts";
import type { NewsRows } from "./knowledge.ts";
import type { Membership } from "./membership.ts";
import { CHANNEL } from "./schema.ts";

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
  /** What its config says; null before its server has run. */
  readonly settings: MachineSettings | null;
}

/** Settings of a machine that a person may take for those of the pool. */
interface MachineSettings {
  readonly policy: string;
  /** `paid.max`, such as `20/day`; null means no limit. */
  readonly paidMax: string | null;
}

interface Beat {
  readonly version: string;
  readonly counts: OwnCounts;
  readonly settings: MachineSettings;
  /** The offset that the last beat measured; 0 at the first. */
  readonly clockOffsetMs: number;
  /** What the others should know. */
  readonly news: NewsRows;
}

/** Returns all machines, in the order in which they joined. */
export async function machinesOf(
  database: SharedDatabase,
): Promise<readonly Machine[]> {
  return await database.run((sql) => readMachines(sql));
}

/**
 * Puts this machine into the list, under the name that it wants or, where
 * another machine has that one, with a number behind it: `laptop-2`. A machine
 * that is in the list keeps its name. Returns the name. Throws TcError
 * `store_away`.
 */
export async function enter(
  database: SharedDatabase,
  { machine, name }: Membership,
  version: string,
): Promise<string> {
  return await database.transaction(async (sql) => {
    await sql`SELECT pg_advisory_xact_lock(${ENTER_LOCK})`;
    const present = await sql<{ id: string; name: string }[]>`
      SELECT id, name FROM tc.machines WHERE left_at IS NULL`;
    const known = present.find(({ id }) => id === machine);
    const shown = known?.name ?? freeName(name, present);
    await sql`
      INSERT INTO tc.machines (id, name, version)
      VALUES (${machine}, ${shown}, ${version})
      ON CONFLICT (id) DO UPDATE SET name = excluded.name,
        version = excluded.version, seen_at = now(), left_at = NULL`;
    return shown;
  });
}

/** Only one machine chooses a name: the number of an advisory lock. */
const ENTER_LOCK = 0x7463_0003;

/** Returns `wanted`, or the first of `wanted-2`, `wanted-3` … that is free. */
export function freeName(
  wanted: string,
  present: readonly { readonly name: string }[],
): string {
  const taken = new Set(present.map(({ name }) => name.toLowerCase()));
  // Reports call the machine that they are drawn on so.
  for (const name of OWN_NAMES) taken.add(name);
  let name = wanted;
  for (let number = 2; taken.has(name.toLowerCase()); number++) {
    name = `${wanted}-${number}`;
  }
  return name;
}

/** What `--machine` and reports call the machine that they run on. */
const OWN_NAMES = ["this", "this machine"];

/**
 * Tells the store that this machine is alive, and its news. Throws TcError
 * `store_away`.
 */
export async function beat(
  database: SharedDatabase,
  { machine }: Membership,
  { version, counts, settings, clockOffsetMs, news }: Beat,
): Promise<Pulse> {
  const { figures, verdicts } = news;
  const topic = verdicts.length > 0 ? "refusal" : "quota";
  const notice = figures.length + verdicts.length > 0
    ? `${topic} ${machine}`
    : null;
  return await database.run(async (sql) => {
    // One statement, because each costs a round trip and wakes this thread.
    const rows = await sql<(MachineRow & PulseRow)[]>`
      WITH beat AS (
        UPDATE tc.machines SET version = ${version}, seen_at = now(),
          clock_offset_ms = ${clockOffsetMs},
          counts = ${sql.json({ ...counts, settings } as never)}
        WHERE id = ${machine} AND left_at IS NULL RETURNING id
      ), figures AS (
        INSERT INTO tc.windows (account, key, figures, observed_at, machine)
        SELECT account, key, figures, to_timestamp(at / 1000), ${machine}
        FROM jsonb_to_recordset(${sql.json(figures as never)}) AS
          row(account text, key text, figures jsonb, at float8)
        ON CONFLICT (account, key) DO UPDATE SET figures = excluded.figures,
          observed_at = excluded.observed_at, machine = excluded.machine
        WHERE tc.windows.observed_at < excluded.observed_at
      ), verdicts AS (
        INSERT INTO tc.refusals (account, kind, verdict, given_at, machine)
        SELECT account, kind, verdict, to_timestamp(at / 1000), ${machine}
        FROM jsonb_to_recordset(${sql.json(verdicts as never)}) AS
          row(account text, kind text, verdict jsonb, at float8)
        ON CONFLICT (account, kind) DO UPDATE SET verdict = excluded.verdict,
          given_at = excluded.given_at, machine = excluded.machine
        WHERE tc.refusals.given_at < excluded.given_at
      ), time AS MATERIALIZED (
        SELECT extract(epoch FROM now())::float8 * 1000 AS now,
          (SELECT max(version) FROM tc.schema) AS schema,
          EXISTS (SELECT 1 FROM beat) AS listed,
          CASE WHEN ${notice}::text IS NOT NULL
            THEN pg_notify(${CHANNEL}, ${notice}) END AS told
      )
      SELECT time.*, ${machineFields(sql)}
      FROM time LEFT JOIN tc.machines ON left_at IS NULL
      ORDER BY joined_at, id`;
    const [first] = rows;
    // The list is as it was before this statement: without this beat.
    const present = rows.filter(({ id }) => id !== null);
    return {
      databaseMs: first?.now ?? 0,
      schema: first?.schema ?? 0,
      isListed: first?.listed ?? false,
      machines: present.map(machineFrom),
      others: present.flatMap(({ id, ago, counts }) =>
        id === machine || ago > ALIVE_MS ? [] : [{ machine: id, ...counts }]
      ),
    };
  });
}

/** What the database says at each beat. */
interface Pulse {
  readonly databaseMs: number;
  /** The version of the tables. */
  readonly schema: number;
  /** False: this machine was taken out of the list. */
  readonly isListed: boolean;
  /** All machines, in the order in which they joined. */
  readonly machines: readonly Machine[];
  /** The last word of each other machine that was seen lately. */
  readonly others: readonly MachineCounts[];
}

interface PulseRow {
  readonly now: number;
  readonly schema: number;
  readonly listed: boolean;
}

/**
 * Takes a machine out of the list. Its row stays: its requests need its name.
 * What it was doing for all is free at once, but for a login that it was
 * renewing: that token may be spent, and its intent ends by its age.
 */
export async function removeMachine(
  database: SharedDatabase,
  machine: string,
): Promise<void> {
  await database.transaction(async (sql) => {
    await sql`UPDATE tc.machines SET left_at = now() WHERE id = ${machine}`;
    await sql`
      UPDATE tc.accounts SET polled_by = NULL, poll_after = NULL
      WHERE polled_by = ${machine}`;
  });
}

/** What a machine does for the others. */
interface Duties {
  /** Accounts whose usage it asks the provider for. */
  readonly polls: readonly string[];
  /** Accounts whose login it began to renew, and has not finished. */
  readonly renews: readonly string[];
}

/** Returns the ids of the accounts for which a machine does something. */
export async function dutiesOf(
  database: SharedDatabase,
  machine: string,
): Promise<Duties> {
  const rows = await database.run((sql) =>
    sql<{ id: string; polls: boolean; renews: boolean }[]>`
      SELECT id, coalesce(polled_by = ${machine}, false) AS polls,
        coalesce(renewing_by = ${machine}, false) AS renews
      FROM tc.accounts WHERE removed_at IS NULL`
  );
  return {
    polls: rows.filter(({ polls }) => polls).map(({ id }) => id),
    renews: rows.filter(({ renews }) => renews).map(({ id }) => id),
  };
}

interface MachineRow {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly joined: number;
  readonly seen: number;
  readonly ago: number;
  readonly offset: number;
  readonly counts: OwnCounts & { readonly settings?: MachineSettings };
}

async function readMachines(sql: Sql): Promise<readonly Machine[]> {
  const rows = await sql<MachineRow[]>`
    SELECT ${machineFields(sql)}
    FROM tc.machines WHERE left_at IS NULL ORDER BY joined_at, id`;
  return rows.map(machineFrom);
}

function machineFields(sql: Sql) {
  return sql`id, name, tc.machines.version, counts,
    clock_offset_ms AS "offset",
    extract(epoch FROM joined_at)::float8 * 1000 AS joined,
    extract(epoch FROM seen_at)::float8 * 1000 AS seen,
    extract(epoch FROM now() - seen_at)::float8 * 1000 AS ago`;
}

function machineFrom(row: MachineRow): Machine {
  return {
    id: row.id,
    name: row.name,
    version: row.version,
    joinedAt: instantFromMs(Math.round(row.joined)),
    seenAt: instantFromMs(Math.round(row.seen)),
    seenMsAgo: Math.round(row.ago),
    clockOffsetMs: Math.round(row.offset),
    requests: Object.values(row.counts.accounts)
      .reduce((sum, { inFlight }) => sum + inFlight, 0),
    settings: row.counts.settings ?? null,
  };
}

/**
 * Returns in words where machines have other limits on paid work than this one,
 * or null: each keeps to its own.
 */
export function paidMaxTrouble(
  machines: readonly Machine[],
  own: string,
): string | null {
  const here = machines.find(({ id }) => id === own)?.settings?.paidMax;
  if (here === undefined) return null;
  const others = machines.filter(({ settings }) =>
    settings !== null && settings.paidMax !== here
  );
  if (others.length === 0) return null;
  const list = others.map(({ name, settings }) =>
    `${settings?.paidMax ?? "no limit"} on ${name}`
  );
  return `paid.max is ${here ?? "no limit"} here, and ${list.join(", ")}: ` +
    "each machine keeps to its own";
}
