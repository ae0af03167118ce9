/**
 * A connection to an upstream: its read buffer and state, the time limits that
 * it is held to, and how long it may rest in the pool.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Clock } from "../ports.ts";
import { TimeLimitError } from "./deadline.ts";
import { MINUTE_MS, SECOND_MS } from "../core/time.ts";

/** Size of a new slab. */
const SLAB_BYTES = 16 * 1024;
/** Size of a slab for a body whose reads fill it. */
const BULK_SLAB_BYTES = 64 * 1024;
/** With less room than this left, a read gets a new slab. */
const READ_BYTES_MIN = 4 * 1024;

/** What an open connection is doing; each phase has its time limit. */
type OpenPhase =
  /** It rests in the pool. */
  | "idle"
  /** A request is being written, or the head of its answer is awaited. */
  | "waiting"
  /** A read of the body is outstanding. */
  | "reading"
  /** The caller has not asked for more of the body, so no limit runs. */
  | "paused";

/** `closed` is final: a closed connection cannot be pooled or used again. */
type ConnectionPhase = OpenPhase | "closed";

/** The pool, which learns what happens to its connections. */
export interface ConnectionOwner {
  /** An idle connection ended, or sent bytes that nobody asked for. */
  onSpoiled(connection: Connection): void;
  onClosed(connection: Connection): void;
}

/**
 * One connection. `enter` moves it to another phase and `close` ends it for
 * good: its owner is told, and reads and writes reject from then on.
 *
 * Bytes are read into a slab and handed out as views of it. No part of a slab
 * is read into twice, so a view never changes and nothing is copied.
 */
export class Connection {
  #phase: ConnectionPhase = "waiting";
  /** Grows with every sign of life; the watch compares it between two checks. */
  activity = 0;
  /** Whether it has not served a request yet, so that it cannot be stale. */
  isFresh = true;
  /** When it last went to rest in the pool, on the monotonic clock. */
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

  /** Moves to `phase`; returns false if the connection is closed. */
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

  /** Whether something has come since `listen` that no read has fetched. */
  get hasArrived(): boolean {
    return this.#pending !== null && this.#hasArrived;
  }

  /** The slab; the part from `start` to `end` was read and not consumed. */
  get slab(): Buffer {
    return this.#slab;
  }

  get start(): number {
    return this.#start;
  }

  get end(): number {
    return this.#end;
  }

  /** The bytes read and not consumed, as a view that never changes. */
  unconsumed(): Uint8Array {
    return this.#slab.subarray(this.#start, this.#end);
  }

  consume(bytes: number): void {
    this.#start += bytes;
  }

  /**
   * Starts a read without waiting for it. From here on `hasArrived` says
   * whether bytes came, and an idle connection that gets any is spoiled.
   */
  listen(): void {
    if (this.#pending !== null) return;
    this.#hasArrived = false;
    const reading = this.#stream.read(this.#room());
    this.#pending = reading;
    reading.then(this.#arrived, this.#arrived);
  }

  /** Reads more after what is unconsumed; returns the count, 0 at the end. */
  async read(): Promise<number> {
    const reading = this.#pending ?? this.#stream.read(this.#room());
    this.#pending = null;
    const count = await reading ?? 0;
    this.#end += count;
    this.#fillsReads = count >= SLAB_BYTES || this.#end === this.#slab.length;
    this.activity++;
    return count;
  }

  /** Writes once; returns how many bytes the kernel took. */
  async write(bytes: Uint8Array): Promise<number> {
    const count = await this.#stream.write(bytes);
    this.activity++;
    return count;
  }

  /**
   * Waits until `writing` ends or bytes arrive (see `hasArrived`), whichever is
   * first. Never rejects.
   */
  settledOrArrived(writing: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      writing.then(resolve, () => resolve());
      if (this.hasArrived) resolve();
      else this.#onArrival = resolve;
    });
  }

  /**
   * Goes to rest in the pool at `nowMs` and drops a large slab. Returns false,
   * and does nothing, if the connection is closed.
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

  /** Closes at once, whatever is under way; `because` becomes the error's cause. */
  close(because: unknown): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#closedBecause = because;
    this.#stream.close();
    this.#owner.onClosed(this);
  }

  /** Returns where the next read goes: the rest of the slab, or a new one. */
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

const CHECK_MS_MAX = 1_000;
const CHECKS_PER_LIMIT = 4;
/** Missed checks after which the process is assumed to have been suspended. */
const CHECKS_MISSED = 10;

/** How long a connection may stay in each phase. */
export interface ConnectionLimits {
  /** In the pool. */
  readonly idleMs: number;
  /** From the last byte of the request to the head of its answer. */
  readonly firstByteMs: number;
  /** Of silence within a body. */
  readonly idleBodyMs: number;
}

/** The state of a connection at its last check. */
interface Sighting {
  activity: number;
  sinceMs: number;
}

/**
 * Holds every open connection to its time limits: one regular check of all of
 * them instead of a timer for each request. A limit is kept to within one check
 * and never fires early.
 */
export class ConnectionWatch {
  readonly #clock: Clock;
  readonly #limits: ConnectionLimits;
  readonly #checkMs: number;
  readonly #sightings = new Map<Connection, Sighting>();
  readonly #stop = new AbortController();
  #isRunning = false;
  #checkedAt: number;
  #checkedAtMs: number;

  constructor(clock: Clock, limits: ConnectionLimits) {
    const { idleMs, firstByteMs, idleBodyMs } = limits;
    const shortestMs = Math.min(idleMs, firstByteMs, idleBodyMs);
    this.#clock = clock;
    this.#limits = limits;
    this.#checkMs = Math.min(CHECK_MS_MAX, shortestMs / CHECKS_PER_LIMIT);
    this.#checkedAt = clock.now();
    this.#checkedAtMs = clock.monotonicMs();
  }

  add(connection: Connection): void {
    this.#sightings.set(connection, {
      activity: connection.activity,
      sinceMs: this.#clock.monotonicMs(),
    });
    this.#run();
  }

  remove(connection: Connection): void {
    this.#sightings.delete(connection);
  }

  /**
   * Whether the machine slept since the last check: the wall clock moved on and
   * no timer ran. Connections in the pool are then dead without a sign of it.
   */
  hasOverslept(): boolean {
    return this.#clock.now() - this.#checkedAt >
      this.#checkMs + this.#limits.idleMs;
  }

  stop(): void {
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#checkedAt = this.#clock.now();
    this.#checkedAtMs = this.#clock.monotonicMs();
    try {
      while (this.#sightings.size > 0) {
        await this.#clock.sleep(this.#checkMs, this.#stop.signal);
        this.#check();
      }
    } catch (cause) {
      // `stop` ends the sleep; anything else is a fault and must show.
      if (!this.#stop.signal.aborted) throw cause;
    } finally {
      this.#isRunning = false;
    }
  }

  #check(): void {
    const nowMs = this.#clock.monotonicMs();
    const hasOverslept = this.hasOverslept();
    // While the process was suspended it could not hear the other side.
    const gapMs = nowMs - this.#checkedAtMs;
    const suspendedMs = gapMs > CHECKS_MISSED * this.#checkMs ? gapMs : 0;
    for (const [connection, sighting] of this.#sightings) {
      if (hasOverslept && connection.phase === "idle") {
        connection.close(new TimeLimitError("the machine slept"));
        continue;
      }
      if (connection.activity !== sighting.activity) {
        sighting.activity = connection.activity;
        sighting.sinceMs = nowMs;
        continue;
      }
      if (connection.phase !== "idle") sighting.sinceMs += suspendedMs;
      const limitMs = this.#limitOf(connection);
      if (nowMs - sighting.sinceMs < limitMs) continue;
      connection.close(new TimeLimitError(`silent for ${limitMs} ms`));
    }
    this.#checkedAt = this.#clock.now();
    this.#checkedAtMs = nowMs;
  }

  #limitOf(connection: Connection): number {
    switch (connection.phase) {
      case "idle":
        return this.#limits.idleMs;
      case "waiting":
        return this.#limits.firstByteMs;
      case "reading":
        return this.#limits.idleBodyMs;
      case "paused":
      case "closed":
        return Infinity;
    }
  }
}

/** A connection that ended sooner than this did not end because of its rest. */
const EVIDENCE_MS_MIN = SECOND_MS;

/** The limit, as a share of the shortest rest that was seen to be too long. */
const MARGIN = 0.75;

/** The limit doubles after this long without a dead connection: proxies change. */
const FORGET_MS = 10 * MINUTE_MS;

/**
 * Learns how long connections to one origin may rest. An upstream or a
 * corporate proxy may close idle connections earlier than tc does, and a
 * request that is written to such a connection is lost: nobody can say whether
 * it arrived.
 */
export class RestLimit {
  #limitMs = Infinity;
  #changedAtMs = 0;

  /** Returns the longest rest, in ms, after which a connection may be used. */
  limitMs(nowMs: number): number {
    const doublings = Math.floor((nowMs - this.#changedAtMs) / FORGET_MS);
    return this.#limitMs * 2 ** Math.max(0, doublings);
  }

  /** Notes at `nowMs` that the other side ended a connection after `restMs` of rest. */
  ended(restMs: number, nowMs: number): void {
    if (restMs < EVIDENCE_MS_MIN) return;
    const learnedMs = restMs * MARGIN;
    if (learnedMs >= this.limitMs(nowMs)) return;
    this.#limitMs = learnedMs;
    this.#changedAtMs = nowMs;
  }
}
