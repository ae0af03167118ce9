/**
 * The data plane: one connection to an upstream with its read buffer.
 *
 * Bytes are read into a slab and handed out as views of it. A slab is never
 * read into twice at the same place, so a view stays as it is for ever and
 * nothing is copied on the way.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** Room of a fresh slab, in bytes. */
const SLAB_BYTES = 16 * 1024;
/** Room of a slab for a body that fills its reads. */
const BULK_SLAB_BYTES = 64 * 1024;
/** With less room than this left, a read gets a fresh slab. */
const READ_BYTES_MIN = 4 * 1024;

/** What an open connection is doing; the pool's watch has a time limit for each. */
export type OpenPhase =
  /** In the pool. */
  | "idle"
  /** A request is being written, or its answer's head awaited. */
  | "waiting"
  /** A read of the body is outstanding. */
  | "reading"
  /** The caller has not asked for more of the body: no limit runs. */
  | "paused";

/** `closed` is final: no phase follows it, so nothing can pool or use it again. */
export type ConnectionPhase = OpenPhase | "closed";

/** What happens to a connection, told to its pool. */
export interface ConnectionOwner {
  /** An idle connection ended, or sent what nobody asked for. */
  onSpoiled(connection: Connection): void;
  onClosed(connection: Connection): void;
}

/**
 * One state machine: `enter` moves an open connection to another phase and
 * `close` ends it for good. Closing tells the owner; reading and writing reject
 * from then on.
 */
export class Connection {
  #phase: ConnectionPhase = "waiting";
  /** Grows with every sign of life; the watch compares two looks at it. */
  activity = 0;
  /** It has not served a request yet: it cannot have grown stale in a pool. */
  isFresh = true;
  /** When it last came to rest in the pool, on the monotonic clock. */
  restedAtMs = 0;
  readonly isTls: boolean;
  readonly #stream: Deno.Conn;
  readonly #owner: ConnectionOwner;
  #slab = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  #fillsReads = false;
  #pending: Promise<number | null> | null = null;
  #hasArrived = false;
  #onArrival: (() => void) | null = null;
  #closedBecause: unknown = null;

  constructor(
    stream: Deno.Conn,
    options: { readonly isTls: boolean; readonly owner: ConnectionOwner },
  ) {
    this.#stream = stream;
    this.isTls = options.isTls;
    this.#owner = options.owner;
  }

  get phase(): ConnectionPhase {
    return this.#phase;
  }

  get isClosed(): boolean {
    return this.#phase === "closed";
  }

  /** Moves to `phase` and returns true; returns false if it is closed. */
  enter(phase: OpenPhase): boolean {
    if (this.#phase === "closed") return false;
    this.#phase = phase;
    this.activity++;
    return true;
  }

  /** Why our side closed the connection, or null. */
  get closedBecause(): unknown {
    return this.#closedBecause;
  }

  /** Whether something came since `listen` that no read has fetched. */
  get hasArrived(): boolean {
    return this.#pending !== null && this.#hasArrived;
  }

  /** The slab and the part of it that was read and not consumed. */
  get slab(): Buffer {
    return this.#slab;
  }

  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#end;
  }

  /** The bytes read and not consumed, as a view that stays as it is. */
  unconsumed(): Uint8Array {
    return this.#slab.subarray(this.#start, this.#end);
  }

  consume(bytes: number): void {
    this.#start += bytes;
  }

  /**
   * Starts a read and does not wait for it: from here on `hasArrived` tells,
   * and an idle connection that hears anything is spoiled at once.
   */
  listen(): void {
    if (this.#pending !== null) return;
    this.#hasArrived = false;
    const reading = this.#stream.read(this.#room());
    this.#pending = reading;
    reading.then(this.#arrived, this.#arrived);
  }

  /** Reads more behind what is unconsumed; 0 is the upstream's end. */
  async read(): Promise<number> {
    const reading = this.#pending ?? this.#stream.read(this.#room());
    this.#pending = null;
    const count = await reading ?? 0;
    this.#end += count;
    this.#fillsReads = count >= SLAB_BYTES || this.#end === this.#slab.length;
    this.activity++;
    return count;
  }

  /** One write to the kernel; resolves with how many bytes it took. */
  async write(bytes: Uint8Array): Promise<number> {
    const count = await this.#stream.write(bytes);
    this.activity++;
    return count;
  }

  /**
   * Waits for the end of `writing` or for the upstream to speak, whichever is
   * first, and never rejects. Whether it spoke is told by `hasArrived`.
   */
  settledOrArrived(writing: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      writing.then(resolve, () => resolve());
      if (this.hasArrived) resolve();
      else this.#onArrival = resolve;
    });
  }

  /**
   * Goes to rest in the pool at `nowMs` and gives a large slab up. Returns
   * false, and does nothing, if the connection is closed.
   */
  rest(nowMs: number): boolean {
    if (!this.enter("idle")) return false;
    this.isFresh = false;
    this.restedAtMs = nowMs;
    if (this.#slab.length > SLAB_BYTES) {
      this.#slab = Buffer.alloc(0);
      this.#start = 0;
      this.#end = 0;
    }
    this.#fillsReads = false;
    this.listen();
    return true;
  }

  /** Closes at once, whatever is under way; `because` is for the error's cause. */
  close(because: unknown): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#closedBecause = because;
    this.#stream.close();
    this.#owner.onClosed(this);
  }

  /** Where the next read goes: the rest of the slab, or a fresh one. */
  #room(): Uint8Array {
    const unconsumed = this.#end - this.#start;
    if (this.#slab.length - this.#end < READ_BYTES_MIN) {
      const bytes = this.#fillsReads ? BULK_SLAB_BYTES : SLAB_BYTES;
      const slab = Buffer.alloc(Math.max(bytes, 2 * unconsumed));
      slab.set(this.#slab.subarray(this.#start, this.#end));
      this.#slab = slab;
      this.#start = 0;
      this.#end = unconsumed;
    }
    return this.#slab.subarray(this.#end);
  }

  readonly #arrived = (): void => {
    this.#hasArrived = true;
    this.#onArrival?.();
    this.#onArrival = null;
    if (this.#phase === "idle") this.#owner.onSpoiled(this);
  };
}
