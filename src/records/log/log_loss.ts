/**
 * Log lines that could not be written: how many, and why.
 *
 * @module
 */
import { reasonOf } from "../../errors.ts";

/** Log lines that could not be written to where they should go. */
export interface LogLoss {
  readonly where: string;
  readonly reason: string;
  readonly lines: number;
}

/** It is told of a growing loss so often at most. */
const TELL_MS = 1_000;

export class LossCount {
  readonly #where: string;
  #lines = 0;
  #reason: string | null = null;
  #tell: ((loss: LogLoss | null) => void) | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** `where` names the place that lines should go to. */
  constructor(where: string) {
    this.#where = where;
  }

  watch(tell: (loss: LogLoss | null) => void): void {
    this.#tell = tell;
    if (this.#reason !== null) this.#say();
  }

  /** Lines that are lost for `cause`. */
  add(lines: number, cause: unknown): void {
    const isNew = this.#reason === null;
    this.#lines += lines;
    this.#reason = reasonOf(cause);
    if (isNew) this.#say();
    else this.#timer ??= setTimeout(() => this.#say(), TELL_MS);
  }

  /** Lines go through again; how many were lost until now since the last time. */
  over(): number {
    if (this.#reason === null) return 0;
    const lines = this.#lines;
    this.#lines = 0;
    this.#reason = null;
    this.#say();
    return lines;
  }

  close(): void {
    this.#tell = null;
    this.#stopTimer();
  }

  #say(): void {
    this.#stopTimer();
    this.#tell?.(
      this.#reason === null ? null : {
        where: this.#where,
        reason: this.#reason,
        lines: this.#lines,
      },
    );
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

/** The line that stands where `lines` of them are missing. */
export function gapLine(lines: number): string {
  return `${lines} log line${
    lines === 1 ? "" : "s"
  } could not be written here\n`;
}
