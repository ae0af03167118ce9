/**
 * Which machine of a shared pool asks the provider how much of an account is
 * used: one at a time, at the pace of a single machine. The others read what it
 * was told.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";
import type { Journal } from "../../ports.ts";
import type { SharedDatabase } from "./database.ts";
import { isStoreError, onlyStore } from "./store_error.ts";

/** The answer to a machine that would ask now. */
type PollTurn =
  /** Ask; so many answers before were refusals for asking too often. */
  | { readonly kind: "ours"; readonly throttles: number | null }
  /** Another machine asks; look again after so long. */
  | { readonly kind: "theirs"; readonly waitMs: number };

/** Whose turn it is to ask for an account's usage. */
export interface PollTurns {
  /**
   * Takes the turn for `paceMs`, unless another machine has it. Never rejects: a
   * machine that reaches nobody asks for itself.
   */
  take(id: AccountId, paceMs: number): Promise<PollTurn>;
  /** Has every machine wait for `waitMs`, after so many refusals. */
  hold(id: AccountId, waitMs: number, throttles: number): Promise<void>;
}

/** The turns of a machine alone: each is its own, and it counts refusals itself. */
export const OWN_TURNS: PollTurns = {
  take: () => Promise.resolve({ kind: "ours", throttles: null }),
  hold: () => Promise.resolve(),
};

/**
 * Part of an interval by which the others let the machine that asked last go
 * first. It is dead if they get their turn.
 */
const GRACE_PART = 0.3;

interface TurnPorts {
  readonly database: SharedDatabase;
  readonly journal: Journal | null;
  readonly machine: string;
}

interface TurnRow {
  readonly isOurs: boolean;
  readonly throttles: number;
  readonly leftMs: number;
  readonly byId: string | null;
  readonly by: string | null;
}

/** The turns of the machines of a pool, kept in the accounts' rows. */
export class SharedPollTurns implements PollTurns {
  readonly #ports: TurnPorts;

  constructor(ports: TurnPorts) {
    this.#ports = ports;
  }

  async take(id: AccountId, paceMs: number): Promise<PollTurn> {
    try {
      const row = await this.#take(id, paceMs);
      // The store has no such account: it is this machine's own.
      if (row === undefined) return await OWN_TURNS.take(id, paceMs);
      if (!row.isOurs) return { kind: "theirs", waitMs: row.leftMs };
      this.#tellTakeover(id, row);
      return { kind: "ours", throttles: row.throttles };
    } catch (cause) {
      if (!isStoreError(cause)) throw cause;
      // No figure of another machine comes either.
      return await OWN_TURNS.take(id, paceMs);
    }
  }

  async hold(id: AccountId, waitMs: number, throttles: number): Promise<void> {
    const { database, machine } = this.#ports;
    await database.run(async (sql) => {
      await sql`
        UPDATE tc.accounts SET poll_throttles = ${throttles},
          poll_after = now() + ${`${Math.round(waitMs)} ms`}::interval
        WHERE id = ${id} AND polled_by = ${machine}`;
    }).catch(onlyStore);
  }

  async #take(id: AccountId, paceMs: number): Promise<TurnRow | undefined> {
    const { database, machine } = this.#ports;
    database.throwIfAway();
    const pace = `${Math.round(paceMs)} ms`;
    const grace = `${Math.round(paceMs * GRACE_PART)} ms`;
    return await database.transaction(async (sql) => {
      const [row] = await sql<TurnRow[]>`
        SELECT poll_throttles AS throttles, polled_by AS "byId",
          (SELECT name FROM tc.machines WHERE id = polled_by) AS by,
          coalesce(polled_by = ${machine} OR
            poll_after + ${grace}::interval <= now(), true) AS "isOurs",
          coalesce(extract(epoch FROM
            poll_after + ${grace}::interval - now())::float8 * 1000, 0)
            AS "leftMs"
        FROM tc.accounts WHERE id = ${id} AND removed_at IS NULL FOR UPDATE`;
      if (row?.isOurs === true) {
        await sql`
          UPDATE tc.accounts SET polled_by = ${machine},
            poll_after = now() + ${pace}::interval WHERE id = ${id}`;
      }
      return row;
    });
  }

  #tellTakeover(account: AccountId, { byId, by }: TurnRow): void {
    const { journal, machine } = this.#ports;
    if (byId === null || byId === machine) return;
    journal?.log("info", "usage_poll_taken_over", {
      account,
      machine: by ?? "?",
    });
  }
}
