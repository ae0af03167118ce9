/**
 * Who renews a login of a shared pool. A refresh token is spent by its first
 * use, so the intent to use it is in the database before the provider is asked,
 * and nobody else uses it meanwhile.
 *
 * @module
 */

import { SECOND_MS } from "../../core/time.ts";
import { EXIT, TcError } from "../../errors.ts";
import type { Clock, HeldLock, Journal, Locks } from "../../ports.ts";
import type { SharedDatabase } from "./database.ts";

/**
 * A machine that has not finished a renewal after this long is taken for dead:
 * the token may be spent, and another machine tries once.
 */
const CLAIM_MS = 60 * SECOND_MS;
const LOOK_MS = 200;

interface ClaimPorts {
  /** The locks among the processes of this machine. */
  readonly local: Locks;
  readonly database: SharedDatabase;
  readonly clock: Clock;
  readonly journal: Journal | null;
  readonly machine: string;
  /** Names this process: no two have the same. */
  readonly run: string;
  /** After this long a machine that renews is taken for dead. */
  readonly claimMs?: number | undefined;
}

type Claim =
  | { readonly kind: "claimed"; readonly from: string | null }
  | { readonly kind: "taken"; readonly by: string }
  /** The store has no such account: it is this machine's own. */
  | { readonly kind: "own" };

export class RenewalClaims implements Locks {
  readonly #ports: ClaimPorts;
  readonly #releases = new Set<Promise<void>>();
  #count = 0;

  constructor(ports: ClaimPorts) {
    this.#ports = ports;
  }

  /**
   * Waits for the other processes of this machine, then for other machines.
   * Throws TcError `lock_timeout`, or `store_away`: without the database nobody
   * knows whether another machine is renewing.
   */
  async acquire(
    name: string,
    { waitMs, signal }: {
      readonly waitMs: number;
      readonly signal?: AbortSignal;
    },
  ): Promise<HeldLock> {
    const { local, clock, database } = this.#ports;
    // A request may wait for this: it must not wait for a connection.
    database.throwIfAway();
    const untilMs = clock.monotonicMs() + waitMs;
    const held = await local.acquire(
      name,
      signal === undefined ? { waitMs } : { waitMs, signal },
    );
    try {
      const claim = `${this.#ports.run}-${++this.#count}`;
      for (;;) {
        const result = await this.#claim(name, claim);
        if (result.kind === "own") return held;
        if (result.kind === "claimed") {
          this.#tellTakeover(name, result.from);
          return new HeldClaim(held, () => this.#giveBack(name, claim));
        }
        if (clock.monotonicMs() >= untilMs) throw timedOut(name, result.by);
        await clock.sleep(LOOK_MS, signal);
      }
    } catch (error) {
      held.release();
      throw error;
    }
  }

  /** Waits until what was given back is in the database, as far as it can be. */
  async close(): Promise<void> {
    await Promise.all(this.#releases);
  }

  async #claim(id: string, claim: string): Promise<Claim> {
    const { database, machine, run, claimMs = CLAIM_MS } = this.#ports;
    return await database.transaction(async (sql): Promise<Claim> => {
      const [row] = await sql<
        { by: string | null; run: string | null; isOver: boolean }[]
      >`
        SELECT renewing_run AS run,
          coalesce(renewing_since < now() - ${`${claimMs} ms`}::interval, true)
            AS "isOver",
          (SELECT name FROM tc.machines WHERE id = renewing_by) AS by
        FROM tc.accounts WHERE id = ${id} AND removed_at IS NULL FOR UPDATE`;
      if (row === undefined) return { kind: "own" };
      const isMine = row.run?.startsWith(`${run}-`) ?? false;
      if (!row.isOver && !isMine) {
        return { kind: "taken", by: row.by ?? "another machine" };
      }
      await sql`
        UPDATE tc.accounts SET renewing_by = ${machine},
          renewing_run = ${claim}, renewing_since = now() WHERE id = ${id}`;
      const isTakeover = row.run !== null && !isMine;
      return { kind: "claimed", from: isTakeover ? row.by ?? "?" : null };
    });
  }

  #tellTakeover(account: string, from: string | null): void {
    if (from === null) return;
    this.#ports.journal?.log("warn", "renewal_taken_over", {
      account,
      machine: from,
    });
  }

  /** A claim that cannot be given back ends by itself. */
  #giveBack(id: string, claim: string): void {
    const { database } = this.#ports;
    const release = database.run(async (sql) => {
      // One statement: what it reads is the row as it was before.
      const [row] = await sql<{ by: string | null }[]>`
        WITH gone AS (
          UPDATE tc.accounts SET renewing_by = NULL, renewing_run = NULL,
            renewing_since = NULL
          WHERE id = ${id} AND renewing_run = ${claim}
        )
        SELECT (SELECT name FROM tc.machines WHERE id = renewing_by) AS by
        FROM tc.accounts WHERE id = ${id} AND renewing_run <> ${claim}`;
      if (row !== undefined) this.#tellLoss(id, row.by);
    }).catch(() => {}).finally(() => this.#releases.delete(release));
    this.#releases.add(release);
  }

  /** This machine was too slow: the other one took it for dead. */
  #tellLoss(account: string, to: string | null): void {
    this.#ports.journal?.log("warn", "renewal_lost", {
      account,
      machine: to ?? "?",
    });
  }
}

class HeldClaim implements HeldLock {
  readonly #held: HeldLock;
  readonly #giveBack: () => void;
  #isHeld = true;

  constructor(held: HeldLock, giveBack: () => void) {
    this.#held = held;
    this.#giveBack = giveBack;
  }

  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#giveBack();
    this.#held.release();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

function timedOut(name: string, by: string): TcError {
  return new TcError(`Cannot renew ${name}: the machine ${by} is renewing it`, {
    code: "lock_timeout",
    exitCode: EXIT.tryLater,
    hint: "tc store status   shows the machines",
  });
}
