/**
 * Log lines on their way from the worker to the main thread, some at a time: a
 * message for each would cost as much as a good part of a request.
 *
 * @module
 */

import type { LogRecord } from "./journal.ts";

/** Lines that tell of no fault wait so long for others. */
const WAIT_MS = 50;

/** So many go at once, whatever the time. */
const RECORDS_MAX = 200;

export class LogBatch {
  readonly #post: (records: readonly LogRecord[]) => void;
  #records: LogRecord[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(post: (records: readonly LogRecord[]) => void) {
    this.#post = post;
  }

  /** Warnings and errors go at once, with all that came before them. */
  readonly add = (record: LogRecord): void => {
    this.#records.push(record);
    const isUrgent = record.level === "warn" || record.level === "error";
    if (isUrgent || this.#records.length >= RECORDS_MAX) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), WAIT_MS);
  };

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#records.length === 0) return;
    const records = this.#records;
    this.#records = [];
    this.#post(records);
  }
}
