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
import type { Clock } from "../ports.ts";
import { TimeLimitError } from "./deadline.ts";
import { MINUTE_MS, SECOND_MS } from "../core/time.ts";

/** Room of a fresh slab, in bytes. */
const SLAB_BYTES = 16 * 1024;
/** Room of a slab for a body that fills its reads. */
const BULK_SLAB_BYTES = 64 * 1024;
/** With less room than this left, a read gets a fresh slab. */
const READ_BYTES_MIN = 4 * 1024;

/** What an open connection is doing; the pool's watch has a time limit for each. */
type OpenPhase =
  /** In the pool. */
  | "idle"
  /** A request is being written, or its answer's head awaited. */
  | "waiting"
  /** A read of the body is outstanding. */
  | "reading"
  /** The caller has not asked for more of the body: no limit runs. */
  | "paused";

/** `closed` is final: no phase follows it, so nothing can pool or use it again. */
type ConnectionPhase = OpenPhase | "closed";

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

// MERGED connection_watch.ts: The data plane: holds every open connection to its time limits.  One look at all of them now and then, instead of a timer for each request: a limit is kept to within one look, and never fires early.

const LOOK_MS_MAX = 1_000;
const LOOKS_PER_LIMIT = 4;
/** After so many that did not come this process has stood still. */
const LOOKS_MISSED = 10;

export interface ConnectionLimits {
  /** How long a connection rests in the pool. */
  readonly idleMs: number;
  /** From the last byte of the request that went out to the answer's head. */
  readonly firstByteMs: number;
  /** The longest silence within a body. */
  readonly idleBodyMs: number;
}

/** What the watch saw of a connection when it last looked. */
interface Sighting {
  activity: number;
  sinceMs: number;
}

export class ConnectionWatch {
  readonly #clock: Clock;
  readonly #limits: ConnectionLimits;
  readonly #lookMs: number;
  readonly #sightings = new Map<Connection, Sighting>();
  readonly #stop = new AbortController();
  #isRunning = false;
  #lookedAt: number;
  #lookedAtMs: number;

  constructor(clock: Clock, limits: ConnectionLimits) {
    const { idleMs, firstByteMs, idleBodyMs } = limits;
    const shortestMs = Math.min(idleMs, firstByteMs, idleBodyMs);
    this.#clock = clock;
    this.#limits = limits;
    this.#lookMs = Math.min(LOOK_MS_MAX, shortestMs / LOOKS_PER_LIMIT);
    this.#lookedAt = clock.now();
    this.#lookedAtMs = clock.monotonicMs();
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
   * Whether the machine slept since the last look: the wall clock moved on and
   * no timer ran. What rested in the pool is then dead without a sign.
   */
  hasOverslept(): boolean {
    return this.#clock.now() - this.#lookedAt >
      this.#lookMs + this.#limits.idleMs;
  }

  stop(): void {
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#lookedAt = this.#clock.now();
    this.#lookedAtMs = this.#clock.monotonicMs();
    try {
      while (this.#sightings.size > 0) {
        await this.#clock.sleep(this.#lookMs, this.#stop.signal);
        this.#look();
      }
    } catch (cause) {
      // `stop` ends the sleep; anything else is a fault to be seen.
      if (!this.#stop.signal.aborted) throw cause;
    } finally {
      this.#isRunning = false;
    }
  }

  #look(): void {
    const nowMs = this.#clock.monotonicMs();
    const hasOverslept = this.hasOverslept();
    // While this process stood still nobody could hear the other side.
    const gapMs = nowMs - this.#lookedAtMs;
    const deafMs = gapMs > LOOKS_MISSED * this.#lookMs ? gapMs : 0;
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
      if (connection.phase !== "idle") sighting.sinceMs += deafMs;
      const limitMs = this.#limitOf(connection);
      if (nowMs - sighting.sinceMs < limitMs) continue;
      connection.close(new TimeLimitError(`silent for ${limitMs} ms`));
    }
    this.#lookedAt = this.#clock.now();
    this.#lookedAtMs = nowMs;
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

// MERGED rest_limit.ts: Learns how long connections to one origin may rest in the pool. An upstream or a corporate proxy may close idle connections earlier than we do; a request written to such a connection is lost, since nobody can say whether it arrived.

/** A connection that ended sooner than this ended for another reason. */
const EVIDENCE_MS_MIN = SECOND_MS;

/** We close at this share of the shortest rest that was seen to be too long. */
const MARGIN = 0.75;

/** After this long without a death the limit doubles: proxies change. */
const FORGET_MS = 10 * MINUTE_MS;

/** The longest safe rest of one origin's connections. */
export class RestLimit {
  #limitMs = Infinity;
  #changedAtMs = 0;

  /** Returns the longest rest, in ms, after which a connection is still used. */
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
