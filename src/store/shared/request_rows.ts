/**
 * The ledgers of all machines in the store: each machine writes its own rows and
 * reads those of the others.
 *
 * @module
 */

import type { LedgerEntry } from "../ledger/ledger.ts";
import { SENT_FIELDS } from "../ledger/ledger_exchange.ts";
import type { SharedDatabase } from "./database.ts";

/** A row of one machine; its numbers only grow. */
interface SharedRow {
  readonly sequence: number;
  readonly entry: LedgerEntry;
}

/** Rows of another machine, in order. */
interface MachineRows {
  readonly machine: string;
  readonly name: string;
  readonly rows: readonly SharedRow[];
}

/** Returns the number of the last row of `machine`; 0 if there is none. */
export async function lastRow(
  database: SharedDatabase,
  machine: string,
): Promise<number> {
  const [row] = await database.run((sql) =>
    sql<{ last: number | null }[]>`
      SELECT max(sequence)::float8 AS last FROM tc.requests
      WHERE machine = ${machine}`
  );
  return row?.last ?? 0;
}

/**
 * Writes rows, each number raised by `base`; those that are there already stay.
 * Throws `store_away`.
 */
export async function sendRows(
  database: SharedDatabase,
  machine: string,
  { text, base }: { readonly text: string; readonly base: number },
): Promise<void> {
  await database.run((sql) =>
    sql`
      INSERT INTO tc.requests (machine, sequence, ended_at, request)
      SELECT ${machine}, (row->>0)::bigint + ${base}::float8::bigint,
        to_timestamp((row->>1)::float8 / 1000), jsonb_build_object(
          'costNano', row->2, 'windows', row->3,
          'record', jsonb_build_object('movedWhy', NULL, ${sql.unsafe(VALUES)})
        )
      FROM jsonb_array_elements(${`[${text}]`}::text::jsonb) AS row
      ON CONFLICT DO NOTHING`
  );
}

/** The record of a row that is sent, its values by their names. */
const VALUES = SENT_FIELDS
  .map((field, index) => `'${field}', row->${index + 4}`).join(", ");

/**
 * Returns at most `limit` rows of each other machine that come after the given
 * numbers, by machine.
 */
export async function takeRows(
  database: SharedDatabase,
  own: string,
  { after, limit }: {
    readonly after: Readonly<Record<string, number>>;
    readonly limit: number;
  },
): Promise<readonly MachineRows[]> {
  const rows = await database.run((sql) =>
    sql<
      {
        machine: string;
        name: string;
        sequence: number;
        request: LedgerEntry;
      }[]
    >`
      SELECT m.id AS machine, m.name, r.sequence::float8 AS sequence, r.request
      FROM tc.machines m JOIN LATERAL (
        SELECT sequence, request FROM tc.requests
        WHERE machine = m.id AND
          sequence > coalesce((${sql.json(after)}::jsonb ->> m.id)::bigint, 0)
        ORDER BY sequence LIMIT ${limit}
      ) r ON true
      WHERE m.id <> ${own} ORDER BY m.id, r.sequence`
  );
  const found = new Map<string, { name: string; rows: SharedRow[] }>();
  for (const { machine, name, sequence, request } of rows) {
    const known = found.get(machine) ?? { name, rows: [] };
    known.rows.push({ sequence, entry: request });
    found.set(machine, known);
  }
  return [...found].map(([machine, known]) => ({ machine, ...known }));
}

/** Removes rows of `machine` that ended more than `days` ago. */
export async function pruneRows(
  database: SharedDatabase,
  machine: string,
  days: number,
): Promise<void> {
  await database.run((sql) =>
    sql`
      DELETE FROM tc.requests WHERE machine = ${machine} AND
        ended_at < now() - make_interval(days => ${days})`
  );
}
