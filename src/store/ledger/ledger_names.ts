/**
 * The texts of the ledger, each stored once and known by a number.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { DAY_MS } from "../../core/time.ts";

/** Texts remembered in memory; past it all are looked up anew. */
const KNOWN_MAX = 20_000;

/** Texts come from clients; longer ones are cut. */
const TEXT_LENGTH_MAX = 512;

interface Known {
  readonly id: number;
  /** When it was last marked as seen. */
  readonly markedAt: number;
}

export class LedgerNames {
  readonly #put: StatementSync;
  readonly #find: StatementSync;
  readonly #known = new Map<string, Known>();

  constructor(database: DatabaseSync) {
    this.#put = database.prepare(
      "INSERT INTO names (text, seen_at) VALUES (?, ?) ON CONFLICT (text) DO UPDATE SET seen_at = max(seen_at, excluded.seen_at)",
    );
    this.#find = database.prepare("SELECT id FROM names WHERE text = ?");
  }

  /** The number of `text`, which is seen at `at`. */
  idOf(whole: string, at: number): number {
    const text = whole.slice(0, TEXT_LENGTH_MAX);
    const known = this.#known.get(text);
    if (known !== undefined && at < known.markedAt + DAY_MS) return known.id;
    this.#put.run(text, at);
    const id = Number(this.#find.get(text)?.["id"]);
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(text, { id, markedAt: at });
    return id;
  }

  /** After a transaction that did not come through. */
  forget(): void {
    this.#known.clear();
  }
}
