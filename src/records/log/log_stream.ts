/**
 * Log lines to a stream whose reader may be slow, stalled or gone: they wait in
 * a bounded queue, and nobody waits for them.
 *
 * @module
 */

import { gapLine, type LossCount } from "./log_loss.ts";

const LINES_MAX = 2_000;
const CLOSE_MS_MAX = 500;

export interface ByteTarget {
  write(bytes: Uint8Array): Promise<number>;
}

export class LogStream {
  readonly #target: ByteTarget;
  readonly #loss: LossCount;
  readonly #encoder = new TextEncoder();
  #waiting: string[] = [];
  #work: Promise<void> | null = null;

  constructor(target: ByteTarget, loss: LossCount) {
    this.#target = target;
    this.#loss = loss;
  }

  write(line: string): void {
    if (this.#waiting.length >= LINES_MAX) {
      this.#loss.add(1, "its reader takes no more");
      return;
    }
    this.#waiting.push(line);
    this.#work ??= this.#writeAll().finally(() => {
      this.#work = null;
    });
  }

  /** Waits until all is written, but not for a reader that takes nothing. */
  async close(): Promise<void> {
    if (this.#work === null) return;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_MS_MAX);
    await Promise.race([this.#work, late]);
    clearTimeout(timer);
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(lines.join(""));
        const lost = this.#loss.over();
        if (lost > 0) await this.#write(gapLine(lost));
      } catch (cause) {
        this.#loss.add(lines.length, cause);
      }
    }
  }

  async #write(text: string): Promise<void> {
    let bytes = this.#encoder.encode(text);
    while (bytes.length > 0) {
      bytes = bytes.subarray(await this.#target.write(bytes));
    }
  }
}
