/**
 * A person's settings for each account of a shared pool: one row a field, so
 * that two machines which change different fields lose nothing. Each machine
 * keeps a copy, from which it serves while the database is away.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import type { Locks } from "../../ports.ts";
import type { AccountList } from "../account_list.ts";
import type { ConfigDocument, ConfigEdit } from "../config_file.ts";
import { PrivateJson } from "../files/private_json.ts";
import { CHANNEL } from "./schema.ts";
import type { SharedDatabase, Sql } from "./database.ts";

/** The name of the setting that is the whole pool's: the pinned account. */
const PIN = "pin";

/** Only one edit at a time: the number of an advisory lock. */
const EDIT_LOCK = 0x7463_0002;
/** The name of the lock around each change of the copy. */
const COPY_LOCK = "store.settings";

type Row = Readonly<Record<string, unknown>>;

const SETTINGS = v.object({
  accounts: v.array(v.record(v.string(), v.unknown())),
  pin: v.optional(v.nullable(v.string()), null),
});

/** What the store says, as the copy of a machine has it. */
export interface SharedSettings {
  readonly accounts: readonly Row[];
  /** The id of the pinned account, or null. */
  readonly pin: string | null;
}

interface AccountSettingsPorts {
  readonly database: SharedDatabase;
  /** The rows of the config file, for accounts of this machine alone. */
  readonly own: AccountList;
  readonly folder: string;
  readonly locks: Locks;
  readonly machine: string;
}

export class AccountSettings implements AccountList {
  readonly others = "served";
  readonly #ports: AccountSettingsPorts;
  readonly #copy: PrivateJson<SharedSettings>;

  constructor(ports: AccountSettingsPorts) {
    this.#ports = ports;
    this.#copy = new PrivateJson<SharedSettings>({
      file: `${ports.folder}/store-settings.json`,
      locks: ports.locks,
      lock: COPY_LOCK,
      empty: { accounts: [], pin: null },
      read: (json) => {
        const result = v.safeParse(SETTINGS, json);
        return result.success ? result.output : null;
      },
    });
  }

  get place(): string {
    return `the store ${this.#ports.database.place}`;
  }

  async read(): Promise<ConfigDocument> {
    return await this.readWith(await this.#ports.own.read());
  }

  async readWith(config: ConfigDocument): Promise<ConfigDocument> {
    const { accounts } = await this.#copy.load();
    return joined(accounts, config);
  }

  /**
   * Changes the rows in the store; only fields that the edit changes are
   * written. Throws TcError `store_away`.
   */
  async edit(edit: ConfigEdit): Promise<void> {
    const { database, machine } = this.#ports;
    await database.transaction(async (sql) => {
      await sql`SELECT pg_advisory_xact_lock(${EDIT_LOCK})`;
      const { accounts } = await readSettings(sql);
      const before = joined(accounts, await this.#ports.own.read());
      const after = edit(before);
      for (const row of rowsOf(after)) {
        const id = row["id"];
        if (typeof id !== "string") continue;
        const known = rowsOf(before).find((one) => one["id"] === id) ?? {};
        await writeRow(sql, { id, known, row, machine });
      }
      const left = new Set(rowsOf(after).map((row) => row["id"]));
      for (const { id } of rowsOf(before)) {
        if (typeof id !== "string" || left.has(id)) continue;
        await sql`DELETE FROM tc.settings WHERE account = ${id}`;
      }
      await sql`SELECT pg_notify(${CHANNEL}, ${`settings ${machine}`})`;
    });
    await this.exchange();
  }

  /** Writes the rows of a config that the store does not have yet. */
  async adopt(rows: readonly Row[]): Promise<void> {
    if (rows.length === 0) return;
    const { database, machine } = this.#ports;
    await database.transaction(async (sql) => {
      await sql`SELECT pg_advisory_xact_lock(${EDIT_LOCK})`;
      const { accounts } = await readSettings(sql);
      const ids = new Set(accounts.map((row) => row["id"]));
      for (const row of rows) {
        const id = row["id"];
        if (typeof id !== "string" || ids.has(id)) continue;
        await writeRow(sql, { id, known: {}, row, machine });
      }
    });
  }

  /** Pins an account for every machine, or none. Throws `store_away`. */
  async pin(account: string | null): Promise<void> {
    const { database, machine } = this.#ports;
    await database.transaction(async (sql) => {
      await writeField(sql, {
        account: "",
        name: PIN,
        value: account,
        machine,
      });
      await sql`SELECT pg_notify(${CHANNEL}, ${`settings ${machine}`})`;
    });
  }

  /** Takes the store's settings over. Returns them. Throws `store_away`. */
  async exchange(): Promise<SharedSettings> {
    const settings = await this.#ports.database.run((sql) => readSettings(sql));
    return await this.#copy.update((known) =>
      isDeepStrictEqual(known, settings) ? known : settings
    );
  }
}

/**
 * Returns the rows of the store, and behind them those of the config. Where both
 * have a field of an account, the store's counts.
 */
function joined(
  shared: readonly Row[],
  config: ConfigDocument,
): ConfigDocument {
  const own = rowsOf(config);
  const ids = new Set(shared.map((row) => row["id"]));
  return {
    accounts: [
      ...shared.map((row) => ({
        ...own.find((one) => one["id"] === row["id"]),
        ...row,
      })),
      ...own.filter((row) => !ids.has(row["id"])),
    ],
  };
}

function rowsOf({ accounts }: ConfigDocument): readonly Row[] {
  return Array.isArray(accounts) ? accounts : [];
}

async function readSettings(sql: Sql): Promise<SharedSettings> {
  const fields = await sql<{ account: string; name: string; value: unknown }[]>`
    SELECT s.account, s.name, s.value FROM tc.settings s
    LEFT JOIN tc.accounts a ON a.id = s.account
    WHERE s.account = '' OR a.removed_at IS NULL
    ORDER BY a.added_at, s.account, s.name`;
  const rows = new Map<string, Record<string, unknown>>();
  let pin: string | null = null;
  for (const { account, name, value } of fields) {
    if (account === "") {
      if (name === PIN && typeof value === "string") pin = value;
      continue;
    }
    const row = rows.get(account) ?? { id: account };
    row[name] = value;
    rows.set(account, row);
  }
  return { accounts: [...rows.values()], pin };
}

async function writeRow(
  sql: Sql,
  { id, known, row, machine }: {
    readonly id: string;
    readonly known: Row;
    readonly row: Row;
    readonly machine: string;
  },
): Promise<void> {
  for (const [name, value] of Object.entries(row)) {
    if (name === "id" || isDeepStrictEqual(known[name], value)) continue;
    await writeField(sql, { account: id, name, value, machine });
  }
  for (const name of Object.keys(known)) {
    if (name === "id" || name in row) continue;
    await sql`
      DELETE FROM tc.settings WHERE account = ${id} AND name = ${name}`;
  }
}

async function writeField(
  sql: Sql,
  { account, name, value, machine }: {
    readonly account: string;
    readonly name: string;
    readonly value: unknown;
    readonly machine: string;
  },
): Promise<void> {
  await sql`
    INSERT INTO tc.settings (account, name, value, set_by)
    VALUES (${account}, ${name}, ${sql.json(value as never)}, ${machine})
    ON CONFLICT (account, name) DO UPDATE SET value = excluded.value,
      set_by = excluded.set_by, set_at = now()`;
}
