/**
 * Sends this machine's finished requests to the store, and takes over those of
 * the other machines, so that reports know all of them. A few hundred rows at a
 * time: the thread serves requests meanwhile.
 *
 * @module
 */

import { DAY_MS, MINUTE_MS, SECOND_MS } from "../../core/time.ts";
import type { Clock } from "../../ports.ts";
import type { OpenState } from "../../records/state_database.ts";
import {
  type FreshRows,
  lastSequence,
  type Portion,
  readPlace,
  readPlaces,
  settlePlace,
  writePlace,
} from "../../store/ledger/ledger_exchange.ts";
import type { SharedPool } from "../../store/shared/open_shared.ts";
import {
  lastRow,
  pruneRows,
  sendRows,
  takeRows,
} from "../../store/shared/request_rows.ts";

/** The most rows that are taken from one machine at once. */
const ROWS = 200;
/**
 * Rows are sent with the first beat after this time: other machines look for them
 * every 15 seconds, and each time costs a machine with few requests more than its
 * rows do.
 */
const SEND_MS = 5 * SECOND_MS;
/** Portions that are sent at once: more than a busy server writes meanwhile. */
const PORTIONS = 10;
/** At rest the other machines' rows are looked for this often. */
const LOOK_MS = 15 * SECOND_MS;
/** A full portion of another machine is followed by the next one soon. */
const MORE_MS = 500;

interface RequestExchangeOptions {
  readonly shared: SharedPool;
  /** Does `work` with the ledger; false if that fails. */
  readonly attempt: (work: (state: OpenState) => void) => boolean;
  /** The rows that were written last. */
  readonly fresh: FreshRows;
  readonly clock: Clock;
  /** How long single requests are kept. */
  readonly days: number;
}

export class RequestExchange {
  readonly #options: RequestExchangeOptions;
  #sendAtMs = 0;
  #takeAtMs = 0;
  #isBehind = false;
  #pruneAtMs: number;

  constructor(options: RequestExchangeOptions) {
    this.#options = options;
    this.#pruneAtMs = options.clock.monotonicMs() + MINUTE_MS;
  }

  /** When there is more to take, or Infinity: the next beat is soon enough. */
  get moreAtMs(): number {
    return this.#isBehind ? this.#takeAtMs : Infinity;
  }

  /** Sends and takes what is due. Throws TcError `store_away`. */
  async exchange(): Promise<void> {
    const { clock, shared, days } = this.#options;
    const now = clock.monotonicMs();
    if (now >= this.#sendAtMs) {
      this.#sendAtMs = now + SEND_MS;
      for (let count = 0; count < PORTIONS; count++) {
        if (!await this.send()) break;
      }
    }
    if (now >= this.#takeAtMs) {
      this.#isBehind = await this.#take();
      this.#takeAtMs = clock.monotonicMs() +
        (this.#isBehind ? MORE_MS : LOOK_MS);
    }
    if (now >= this.#pruneAtMs) {
      this.#pruneAtMs = now + DAY_MS;
      await pruneRows(shared.database, shared.membership.machine, days);
    }
  }

  /** Returns whether there may be more. */
  async send(): Promise<boolean> {
    const { shared, attempt, fresh } = this.#options;
    const { database, membership: { machine } } = shared;
    let place = { sequence: 0, base: 0 };
    let isKnown = false;
    let newest = 0;
    let portion = null as Portion | null;
    const isRead = attempt(({ database }) => {
      const known = readPlace(database, null);
      isKnown = known !== null;
      if (known !== null) place = known;
      newest = lastSequence(database);
      portion = fresh.after(database, place.sequence);
      if (isKnown && portion === null) settlePlace(database, place, newest);
    });
    if (!isRead || portion === null) return false;
    // A ledger that began anew counts from 1; the store has rows of before.
    if (!isKnown) place = { ...place, base: await lastRow(database, machine) };
    const { base } = place;
    const { last, text } = portion;
    await sendRows(database, machine, { base, text });
    attempt(({ database }) =>
      writePlace(database, null, { sequence: last, base })
    );
    return last < newest;
  }

  async #take(): Promise<boolean> {
    const { shared, attempt } = this.#options;
    const { database, membership: { machine } } = shared;
    let after: Readonly<Record<string, number>> = {};
    if (!attempt(({ database }) => after = readPlaces(database))) return false;
    const taken = await takeRows(database, machine, { after, limit: ROWS });
    let isFull = false;
    for (const { machine, name, rows } of taken) {
      const last = rows.at(-1);
      if (last === undefined) continue;
      isFull ||= rows.length === ROWS;
      attempt(({ database, ledger }) =>
        ledger.take(
          rows.map(({ entry }) => ({ ...entry, machine: name })),
          () =>
            writePlace(database, machine, { sequence: last.sequence, base: 0 }),
        )
      );
    }
    return isFull;
  }
}
