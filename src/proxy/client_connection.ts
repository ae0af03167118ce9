/**
 * The data plane: one connection of a client with its read buffer.
 *
 * A read is always outstanding while an answer is made, so that a client that
 * leaves is noticed at once; what it reads is the next request.
 *
 * @module
 */

import { Buffer } from "node:buffer";

const BUFFER_BYTES = 16 * 1024;
/** While a long body comes. */
const BULK_BYTES = 256 * 1024;
/** With less room than this left, a read gets more. */
const READ_BYTES_MIN = 4 * 1024;
/** A client that sends the next requests ahead is read no further. */
const AHEAD_BYTES_MAX = 64 * 1024;
/** For a client that sends on what nobody wants: it shall see the answer. */
const LINGER_MS = 2_000;

export class ClientConnection {
  readonly #stream: Deno.Conn;
  #buffer: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #start = 0;
  #end = 0;
  #pending: Promise<number | null> | null = null;
  #isClosed = false;

  constructor(stream: Deno.Conn) {
    this.#stream = stream;
  }

  /** The buffer and the part of it that was read and not consumed. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#end;
  }

  /** The bytes read and not consumed: a view, good until the next read. */
  unconsumed(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  consume(bytes: number): void {
    this.#start += bytes;
  }

  /** Reads more behind what is unconsumed; 0 is the client's end. */
  async read(size: "some" | "bulk" = "some"): Promise<number> {
    const bytes = size === "bulk" ? BULK_BYTES : BUFFER_BYTES;
    const reading = this.#pending ?? this.#stream.read(this.#room(bytes));
    this.#pending = null;
    const count = await reading ?? 0;
    this.#end += count;
    return count;
  }

  /** Calls `left` if the client goes before the next read; never throws. */
  watch(left: () => void): void {
    if (this.#pending !== null) return;
    if (this.#end - this.#start >= AHEAD_BYTES_MAX) return;
    const reading = this.#stream.read(this.#room(BUFFER_BYTES));
    this.#pending = reading;
    reading.then((count) => {
      if (!count) left();
    }, left);
  }

  /** Rejects when the client is gone. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#stream.write(at === 0 ? bytes : bytes.subarray(at));
    }
  }

  /** Whatever is under way rejects. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stream.close();
  }

  /**
   * Ends our side and takes what still comes for a moment: closed at once, the
   * system would take the answer back from a client that has not read it.
   */
  async linger(): Promise<void> {
    const timer = setTimeout(() => this.close(), LINGER_MS);
    try {
      await this.#stream.closeWrite();
      do this.#start = this.#end; while (await this.read() > 0);
    } catch {
      // It has gone: that is the end as well.
    } finally {
      clearTimeout(timer);
      this.close();
    }
  }

  /** Where the next read goes. Nothing is outstanding when it is asked for. */
  #room(bytes: number): Uint8Array {
    const unconsumed = this.#end - this.#start;
    const isOther = unconsumed === 0 && this.#buffer.length !== bytes;
    if (isOther) this.#buffer = Buffer.allocUnsafeSlow(bytes);
    if (unconsumed === 0) this.#start = this.#end = 0;
    if (this.#buffer.length - this.#end < READ_BYTES_MIN) {
      const isRoomy = unconsumed <= this.#buffer.length / 2;
      const next = isRoomy
        ? this.#buffer
        : Buffer.allocUnsafeSlow(2 * this.#buffer.length);
      this.#buffer.copy(next, 0, this.#start, this.#end);
      this.#buffer = next;
      this.#start = 0;
      this.#end = unconsumed;
    }
    return this.#buffer.subarray(this.#end);
  }
}
