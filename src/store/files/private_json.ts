/**
 * A small private JSON file that several processes change, each time on what it
 * holds at that moment.
 *
 * @module
 */

import type { Locks } from "../../ports.ts";
import {
  ensurePrivateFolder,
  readIfThere,
  renameOver,
  writeAtomic,
} from "./atomic.ts";
import { folderOf } from "./file_target.ts";

const LOCK_WAIT_MS = 10_000;

/** Returns the first free name for setting a damaged file aside. */
function freeAside(file: string): string {
  for (let count = 1;; count++) {
    const aside = count === 1 ? `${file}.damaged` : `${file}.damaged-${count}`;
    try {
      Deno.lstatSync(aside);
    } catch {
      return aside;
    }
  }
}

interface PrivateJsonOptions<Value> {
  readonly file: string;
  readonly locks: Locks;
  /** Name of the lock around each change. */
  readonly lock: string;
  readonly empty: Value;
  /** Returns the value of a parsed text, or null if it is damaged. */
  readonly read: (json: unknown) => Value | null;
  /** Returns the value as JSON has it; absent for one that is JSON already. */
  readonly write?: (value: Value) => unknown;
}

export class PrivateJson<Value> {
  readonly #options: PrivateJsonOptions<Value>;

  constructor(options: PrivateJsonOptions<Value>) {
    this.#options = options;
  }

  /**
   * Returns the value, or the empty value if the file is missing or damaged.
   */
  async load(): Promise<Value> {
    const { file, empty } = this.#options;
    return this.#parse(await readIfThere(file)) ?? empty;
  }

  /**
   * Reads again, changes and writes; durable when it resolves. A damaged file
   * is set aside for a person to look at.
   */
  async update(change: (value: Value) => Value): Promise<Value> {
    const { file, locks, lock, empty } = this.#options;
    await ensurePrivateFolder(folderOf(file));
    using _lock = await locks.acquire(lock, { waitMs: LOCK_WAIT_MS });
    const bytes = await readIfThere(file);
    const before = this.#parse(bytes);
    if (bytes !== null && before === null) {
      await renameOver(file, freeAside(file));
    }
    const after = change(before ?? empty);
    if (after === before) return after;
    const json = this.#options.write?.(after) ?? after;
    const text = `${JSON.stringify(json, null, 2)}\n`;
    await writeAtomic(file, new TextEncoder().encode(text));
    return after;
  }

  #parse(bytes: Uint8Array | null): Value | null {
    if (bytes === null) return null;
    try {
      return this.#options.read(JSON.parse(new TextDecoder().decode(bytes)));
    } catch {
      // Damaged: the next change sets it aside.
      return null;
    }
  }
}
