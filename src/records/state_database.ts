/**
 * The server's connection to its state database. Serving never depends on it: a
 * failing file is reported, set aside if it is damaged, and tried again later.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import type { Instant } from "../core/time.ts";
import { hintOf, type TcError } from "../errors.ts";
import type { Clock, Journal } from "../ports.ts";
import {
  databaseError,
  isBusy,
  openDatabase,
  setAside,
} from "../store/ledger/database.ts";
import { Ledger } from "../store/ledger/ledger.ts";
import { PoolStore } from "../store/ledger/pool_store.ts";
import type { PersonShell } from "../shell_words.ts";

/** The open database and its parts. */
export interface OpenState {
  readonly database: DatabaseSync;
  readonly ledger: Ledger;
  readonly pool: PoolStore;
}

interface StateDatabaseOptions {
  /** The shell for which hints are written. */
  readonly person: PersonShell;
  readonly path: string;
  /** Names this run: two servers may share the file while one takes over. */
  readonly writer: string;
  readonly clock: Clock;
  readonly journal: Journal;
}

const RETRY_MS = 30_000;

export class StateDatabase {
  readonly #options: StateDatabaseOptions;
  #state: OpenState | null = null;
  #retryAtMs = 0;
  #fault: string | null = null;
  #setAside: string | null = null;
  #isClosed = false;

  constructor(options: StateDatabaseOptions) {
    this.#options = options;
  }

  /**
   * What is wrong with the database now, or what was repaired by setting it
   * aside.
   */
  get fault(): string | null {
    if (this.#fault !== null) return this.#fault;
    return this.#setAside === null
      ? null
      : `the state database was damaged and is now ${this.#setAside}; a new one began`;
  }

  /**
   * Runs `work` and returns whether it succeeded. If the file is busy, the
   * caller tries again.
   */
  attempt(work: (state: OpenState) => void): boolean {
    const state = this.#open();
    if (state === null) return false;
    try {
      work(state);
      this.#fault = null;
      return true;
    } catch (cause) {
      if (!isBusy(cause)) this.#failed(cause);
      return false;
    }
  }

  /** Lets the next attempt open the file, however recently it failed. */
  retryNow(): void {
    this.#retryAtMs = 0;
  }

  close(): void {
    this.#isClosed = true;
    this.#release();
  }

  #open(): OpenState | null {
    if (this.#state !== null || this.#isClosed) return this.#state;
    const { clock, path } = this.#options;
    if (clock.monotonicMs() < this.#retryAtMs) return null;
    try {
      return this.#opened();
    } catch (cause) {
      this.#failed(cause);
    }
    if (this.#setAside === null || this.#retryAtMs > clock.monotonicMs()) {
      return null;
    }
    try {
      return this.#opened();
    } catch (cause) {
      this.#tell(databaseError(path, cause));
      return null;
    }
  }

  #opened(): OpenState {
    const { path, writer } = this.#options;
    const database = openDatabase(path, "read_write");
    this.#state = {
      database,
      ledger: new Ledger(database),
      pool: new PoolStore(database, writer),
    };
    return this.#state;
  }

  #failed(cause: unknown): void {
    const { path, clock } = this.#options;
    const error = databaseError(path, cause);
    this.#release();
    const aside = error.code === "damaged_state"
      ? setAside(path, stampOf(clock.now()))
      : null;
    if (aside === null) return this.#tell(error);
    this.#setAside = aside;
    this.#options.journal.log("error", "state", {
      reason: error.message,
      setAside: aside,
    });
  }

  /** Reports an error once per attempt to open the file. */
  #tell(error: TcError): void {
    const { clock, journal, person } = this.#options;
    this.#fault = error.message;
    this.#retryAtMs = clock.monotonicMs() + RETRY_MS;
    journal.log("error", "state", {
      reason: error.message,
      hint: hintOf(error, person),
    });
  }

  #release(): void {
    try {
      this.#state?.database.close();
    } catch {
      // The file is given up either way.
    }
    this.#state = null;
  }
}

/** Returns a time for a file name: `20261121T123040`. */
function stampOf(at: Instant): string {
  return new Date(at).toISOString().replace(/[-:]|\.\d+Z$/g, "");
}
