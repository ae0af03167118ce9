/**
 * A list of transcripts from which two threads take one after the other, so that
 * neither waits for the other one, and how far both have read.
 *
 * @module
 */

/** What the threads share, as eight numbers of eight bytes. */
const NEXT = 0;
const STOPPED = 1;
const BYTES = 2;
const NUMBERS = 8;

export class PartList {
  /** To be sent to the other thread. */
  readonly memory: SharedArrayBuffer;
  readonly #numbers: BigInt64Array;
  readonly #length: number;

  /** `memory` is that of the thread which made the list. */
  constructor(
    length: number,
    memory = new SharedArrayBuffer(8 * NUMBERS),
  ) {
    this.#length = length;
    this.memory = memory;
    this.#numbers = new BigInt64Array(memory);
  }

  /** Returns the index of the next part, or null if there is none or it stops. */
  take(): number | null {
    if (this.isStopped) return null;
    const at = Number(Atomics.add(this.#numbers, NEXT, 1n));
    return at < this.#length ? at : null;
  }

  get isStopped(): boolean {
    return Atomics.load(this.#numbers, STOPPED) !== 0n;
  }

  stop(): void {
    Atomics.store(this.#numbers, STOPPED, 1n);
  }

  /** Counts bytes that the other thread's progress shall show. */
  addBytes(bytes: number): void {
    Atomics.add(this.#numbers, BYTES, BigInt(bytes));
  }

  /** Returns the bytes that were counted since the last call. */
  takeBytes(): number {
    return Number(Atomics.exchange(this.#numbers, BYTES, 0n));
  }
}
