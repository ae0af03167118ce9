/**
 * The vault of a machine that is part of a shared pool. Its own vault holds a
 * copy of every account, from which requests are served; the store in the
 * database decides when a login is renewed, added or removed.
 *
 * An account whose login another program of this machine holds as well stays
 * out of the store: that program could renew it behind the back of all others.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";
import { VaultError } from "../../errors.ts";
import { kinship } from "../../lineage.ts";
import type {
  Vault,
  VaultDescription,
  VaultEntry,
  VaultListing,
} from "../../ports.ts";
import { CHANNEL } from "./schema.ts";
import type { SharedDatabase, Sql } from "./database.ts";
import type { PoolSeal } from "./pool_seal.ts";
import { isStoreError, onlyStore } from "./store_error.ts";
import type { UnsentAccounts } from "./unsent.ts";

interface SharedVaultPorts {
  /** This machine's own vault. */
  readonly local: Vault;
  readonly database: SharedDatabase;
  readonly seal: PoolSeal;
  readonly unsent: UnsentAccounts;
  /** The id of this machine. */
  readonly machine: string;
}

/** A row of the store's accounts. */
interface AccountRecord {
  readonly id: AccountId;
  readonly sealed: Uint8Array | null;
  readonly revision: number;
  readonly removed: boolean;
}

/** An account as the store has it, opened. */
interface Stored {
  readonly entry: VaultEntry;
  readonly rest: Readonly<Record<string, unknown>>;
  readonly revision: number;
}

export class SharedVault implements Vault {
  readonly #ports: SharedVaultPorts;
  /** The revision of each account that the own vault has a copy of. */
  readonly #copied = new Map<AccountId, number>();

  constructor(ports: SharedVaultPorts) {
    this.#ports = ports;
  }

  /** Returns this machine's copy: no request waits for the database. */
  async list(): Promise<VaultListing> {
    return await this.#ports.local.list();
  }

  async get(id: AccountId): Promise<VaultEntry | null> {
    return await this.#ports.local.get(id);
  }

  /**
   * Stores a login here, and then for all. If the database is away, it is sent
   * later: a person who has logged in is not asked again.
   */
  async put(entry: VaultEntry): Promise<void> {
    const { local, unsent } = this.#ports;
    if (isOwn(entry)) return await local.put(entry);
    await local.put(entry);
    await unsent.add(entry.id, "login");
    await this.#send(entry.id).catch(onlyStore);
  }

  /** Removes the account everywhere. Throws TcError if the store is away. */
  async remove(id: AccountId): Promise<boolean> {
    const { local, database, unsent, machine } = this.#ports;
    const mine = await local.get(id).catch(() => null);
    if (mine !== null && isOwn(mine)) return await local.remove(id);
    await database.transaction(async (sql) => {
      await this.#removeRow(sql, id);
      await tell(sql, machine);
    });
    await unsent.sent(id);
    return await local.remove(id);
  }

  /**
   * Changes what the store has, under the lock of its row. The result is on
   * this machine's disk before the database has it. If the database cannot be
   * reached, a change is kept here and sent later; a mere reading throws
   * TcError, because the copy here may be old.
   */
  async update(
    id: AccountId,
    change: (entry: VaultEntry) => VaultEntry,
  ): Promise<VaultEntry | null> {
    const { local, database, unsent } = this.#ports;
    const mine = await local.get(id).catch(() => null);
    if (mine !== null && isOwn(mine)) {
      return await local.update(id, change);
    }
    let kept: VaultEntry | null = null;
    try {
      return await database.transaction((sql) =>
        this.#updateRow(sql, id, {
          change,
          keep: async (entry) => {
            await local.put(entry);
            kept = entry;
          },
        })
      );
    } catch (cause) {
      if (!isStoreError(cause)) throw cause;
      if (kept === null) kept = await this.#updateCopy(id, change);
      if (kept === null) throw cause;
      await unsent.add(id, "change");
      return kept;
    }
  }

  describe(): VaultDescription {
    const { local, database } = this.#ports;
    const own = local.describe();
    return {
      ...own,
      text: `${own.text}, shared through ${database.place}`,
    };
  }

  /**
   * Sends what the store lacks, and copies what it has. Returns whether an
   * account here has changed. Throws TcError if the store is away.
   */
  async exchange(): Promise<boolean> {
    const { database, unsent } = this.#ports;
    for (const id of (await unsent.all()).keys()) await this.#send(id);
    const rows = await database.run((sql) =>
      sql<AccountRecord[]>`
      SELECT id, sealed, revision::int AS revision,
        removed_at IS NOT NULL AS removed
      FROM tc.accounts`
    );
    let isChanged = false;
    for (const row of rows) {
      if (this.#copied.get(row.id) === row.revision) continue;
      if (await this.#copy(row)) isChanged = true;
      this.#copied.set(row.id, row.revision);
    }
    return isChanged;
  }

  /** Removes the account from the store; this machine keeps it for itself. */
  async withdraw(id: AccountId): Promise<void> {
    const { database, unsent, machine } = this.#ports;
    await database.transaction(async (sql) => {
      await this.#removeRow(sql, id);
      await tell(sql, machine);
    });
    await unsent.sent(id);
  }

  /** Marks an account of this machine alone as one to share, for a person. */
  async offer(id: AccountId): Promise<void> {
    await this.#ports.unsent.add(id, "move");
  }

  /** Returns the accounts that the store does not have yet. */
  async unsent(): Promise<readonly AccountId[]> {
    return [...(await this.#ports.unsent.all()).keys()];
  }

  async #updateRow(
    sql: Sql,
    id: AccountId,
    { change, keep }: {
      readonly change: (entry: VaultEntry) => VaultEntry;
      readonly keep: (entry: VaultEntry) => Promise<void>;
    },
  ): Promise<VaultEntry | null> {
    const { local, unsent } = this.#ports;
    const row = await this.#lockRow(sql, id);
    const why = (await unsent.all()).get(id) ?? null;
    if (row?.removed === true && (why === null || why === "change")) {
      return null;
    }
    const theirs = row === null ? null : await this.#opened(row);
    const mine = await local.get(id).catch(() => null);
    const before = theirs === null
      ? mine
      : newer(theirs.entry, mine, why === "login");
    if (before === null) return null;
    const after = change(before);
    if (after.id !== id) throw idChanged(id);
    if (after === before && before === theirs?.entry) {
      if (mine === null || !isSame(mine, after)) await keep(after);
      return after;
    }
    await keep(after);
    await this.#write(sql, after, theirs);
    return after;
  }

  /** Returns the changed copy of this machine, or null if nothing changed. */
  async #updateCopy(
    id: AccountId,
    change: (entry: VaultEntry) => VaultEntry,
  ): Promise<VaultEntry | null> {
    let isChanged = false;
    const kept = await this.#ports.local.update(id, (entry) => {
      const next = change(entry);
      isChanged = next !== entry;
      return next;
    });
    return isChanged ? kept : null;
  }

  /** Writes this machine's copy into the store, unless that has a newer one. */
  async #send(id: AccountId): Promise<void> {
    const { local, database, unsent } = this.#ports;
    const why = (await unsent.all()).get(id);
    if (why === undefined) return;
    const mine = await local.get(id);
    if (mine !== null && !isOwn(mine)) {
      await database.transaction(async (sql) => {
        const row = await this.#lockRow(sql, id);
        if (row?.removed === true && why === "change") return;
        const theirs = row === null ? null : await this.#opened(row);
        const isOurs = theirs === null ||
          newer(theirs.entry, mine, why === "login") === mine;
        if (isOurs) await this.#write(sql, mine, theirs);
      });
    }
    await unsent.sent(id);
  }

  /** Takes a row of the store over. Returns whether the copy has changed. */
  async #copy(row: AccountRecord): Promise<boolean> {
    const { local } = this.#ports;
    const mine = await local.get(row.id).catch(() => null);
    if (mine !== null && isOwn(mine)) return false;
    if (row.removed) return await local.remove(row.id);
    const theirs = (await this.#opened(row))?.entry;
    if (theirs === undefined) return false;
    if (mine === null) {
      await local.put(theirs);
      return true;
    }
    let isNewerHere = false;
    // Under the vault's lock: a renewal of this machine may end meanwhile.
    const kept = await local.update(row.id, (present) => {
      const best = newer(theirs, present, false);
      isNewerHere = best === present;
      return isNewerHere || isSame(present, theirs) ? present : theirs;
    });
    if (isNewerHere && kept !== null && !isSame(kept, theirs)) {
      await this.#ports.unsent.add(row.id, "change");
      await this.#send(row.id);
    }
    return kept === theirs;
  }

  /** The row stays without its secret, so that no machine brings it back. */
  async #removeRow(sql: Sql, id: AccountId): Promise<void> {
    await sql`
      UPDATE tc.accounts SET sealed = NULL, removed_at = now(),
        revision = revision + 1, changed_by = ${this.#ports.machine},
        changed_at = now()
      WHERE id = ${id} AND removed_at IS NULL`;
  }

  async #lockRow(sql: Sql, id: AccountId): Promise<AccountRecord | null> {
    const [row] = await sql<AccountRecord[]>`
      SELECT id, sealed, revision::int AS revision,
        removed_at IS NOT NULL AS removed
      FROM tc.accounts WHERE id = ${id} FOR UPDATE`;
    return row ?? null;
  }

  async #opened(
    { id, sealed, revision }: AccountRecord,
  ): Promise<Stored | null> {
    if (sealed === null) return null;
    const { entry, rest } = await this.#ports.seal.open(id, sealed);
    return { entry: { ...entry, sharedWith: null }, rest, revision };
  }

  /** Writes the account; a new login also ends the intent to renew the old. */
  async #write(
    sql: Sql,
    entry: VaultEntry,
    before: Stored | null,
  ): Promise<void> {
    const { seal, machine } = this.#ports;
    const { id } = entry;
    const sealed = await seal.seal({
      entry,
      revision: (before?.revision ?? 0) + 1,
      rest: before?.rest ?? {},
    });
    const isRenewed = before !== null && !hasSameLogin(before.entry, entry);
    await sql`
      INSERT INTO tc.accounts (id, sealed, changed_by)
      VALUES (${id}, ${sealed}, ${machine})
      ON CONFLICT (id) DO UPDATE SET
        sealed = excluded.sealed, revision = tc.accounts.revision + 1,
        changed_by = excluded.changed_by, changed_at = now(),
        removed_at = NULL`;
    if (isRenewed) {
      await sql`
        UPDATE tc.accounts SET renewing_by = NULL, renewing_run = NULL,
          renewing_since = NULL, renewed_by = ${machine}, renewed_at = now()
        WHERE id = ${id}`;
    }
    await tell(sql, machine);
  }
}

function idChanged(id: AccountId): VaultError {
  return new VaultError(`Cannot change the id of the account ${id}`, {
    code: "id_changed",
  });
}

/** Tells the other machines that accounts have changed. */
async function tell(sql: Sql, machine: string): Promise<void> {
  await sql`SELECT pg_notify(${CHANNEL}, ${`accounts ${machine}`})`;
}

/**
 * Returns why an account stays this machine's own, as a clause, or null. The
 * worker may reach a backend only if this machine's config names it.
 */
export function ownReason(
  { sharedWith, kind }: Pick<VaultEntry, "sharedWith" | "kind">,
): string | null {
  if (sharedWith !== null) {
    return "another program of this machine has the same login";
  }
  return kind === "backend" ? "it is a backend of this machine's config" : null;
}

function isOwn(entry: VaultEntry): boolean {
  return ownReason(entry) !== null;
}

/**
 * Returns which of two is newer. A login that descends from the other one is;
 * of two unrelated ones the store's counts, unless a person has just logged in
 * here.
 */
function newer(
  theirs: VaultEntry,
  mine: VaultEntry | null,
  isLogin: boolean,
): VaultEntry {
  if (mine === null) return theirs;
  if (hasSameLogin(theirs, mine)) {
    // A refusal of the same login is news, whoever met it.
    const isNews = mine.refusedTokenHash !== null &&
      theirs.refusedTokenHash === null;
    return isNews || isLogin ? mine : theirs;
  }
  const ours = mine.credential;
  const other = theirs.credential;
  if (ours.kind === "oauth" && other.kind === "oauth") {
    if (kinship(mine, other.refreshToken) === "older") return mine;
    if (kinship(theirs, ours.refreshToken) === "older") return theirs;
  }
  return isLogin ? mine : theirs;
}

function hasSameLogin(a: VaultEntry, b: VaultEntry): boolean {
  const one = a.credential;
  const other = b.credential;
  if (one.kind === "oauth" || other.kind === "oauth") {
    return one.kind === "oauth" && other.kind === "oauth" &&
      one.refreshToken.equals(other.refreshToken);
  }
  return one.token.equals(other.token);
}

/** Returns whether nothing that a copy keeps differs. */
function isSame(a: VaultEntry, b: VaultEntry): boolean {
  return hasSameLogin(a, b) && a.label === b.label && a.tier === b.tier &&
    a.email === b.email && a.organization === b.organization &&
    a.refusedTokenHash === b.refusedTokenHash &&
    a.identity?.accountUuid === b.identity?.accountUuid &&
    a.identity?.organizationUuid === b.identity?.organizationUuid;
}
