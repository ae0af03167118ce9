/**
 * The connections of clients: the read buffer of one, and which of them is
 * closed when there are too many.
 *
 * Any user of the machine can connect, so a connection counts as unproven until
 * a request on it has passed the door. All unproven connections together may
 * use a fixed number of descriptors and a fixed amount of memory, so that they
 * can never use up what the owner's requests need.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { SpareBuffers } from "./buffers.ts";
import { Wait } from "./deadline.ts";

const BUFFER_BYTES = 16 * 1024;
/** For a connection that is not proven: anybody can open one. */
const UNPROVEN_BUFFER_BYTES = 4 * 1024;
/** For reads of a long body. */
const BULK_BYTES = 256 * 1024;
/** With less room than this left, a read gets a larger buffer. */
const READ_BYTES_MIN = 2 * 1024;
/** The most that is read ahead of a client that sends its next requests early. */
const AHEAD_BYTES_MAX = 64 * 1024;
/**
 * Time to drain a client that still sends: closing with unread input sends a
 * reset, and the client would lose its response.
 */
const LINGER_MS = 2_000;

/**
 * A head that does not fit gets a buffer that holds any head: growing in steps
 * would leave garbage at each step, and strangers cause thousands of them.
 */
const HEAD_BUFFER_BYTES = 36 * 1024;

function grownBytes(bytes: number): number {
  if (bytes < BUFFER_BYTES) return BUFFER_BYTES;
  return bytes < HEAD_BUFFER_BYTES ? HEAD_BUFFER_BYTES : 2 * bytes;
}

/**
 * One connection of a client. A read is always outstanding while an answer is
 * made, so that a client that leaves is noticed at once; what that read returns
 * is the next request.
 */
export class ClientConnection {
  readonly #stream: Deno.Conn;
  readonly #buffers: SpareBuffers | null;
  #bufferBytes = UNPROVEN_BUFFER_BYTES;
  #buffer: Buffer;
  #onResize: ((bytes: number) => void) | null = null;
  #isSilent = true;
  #start = 0;
  #end = 0;
  #pending: Promise<number | null> | null = null;
  #wasWatched = false;
  #isClosed = false;
  /** The time limit that is in force now; the connection is closed when it passes. */
  readonly patience = new Wait(() => this.close());

  constructor(stream: Deno.Conn, buffers: SpareBuffers | null = null) {
    this.#stream = stream;
    this.#buffers = buffers;
    this.#buffer = this.#newBuffer(UNPROVEN_BUFFER_BYTES);
  }

  #newBuffer(bytes: number): Buffer {
    return this.#buffers?.take(bytes) ?? Buffer.allocUnsafeSlow(bytes);
  }

  /**
   * Gives the read buffer of a closed connection to a later one, unless the
   * client was trusted: somebody may still hold a view of its bytes.
   */
  async recycle(): Promise<void> {
    if (this.#bufferBytes !== UNPROVEN_BUFFER_BYTES) return;
    // The system may write into the buffer until the last read has returned.
    await this.#pending?.catch(() => null);
    this.#buffers?.give(this.#buffer);
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

  /** Size of the read buffer, in bytes. */
  get heldBytes(): number {
    return this.#buffer.length;
  }

  /** Whether no byte has come yet. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** Calls `report` with each change of {@linkcode heldBytes}. */
  onResize(report: (bytes: number) => void): void {
    this.#onResize = report;
  }

  /** Reads in larger pieces from now on: the client is the owner's. */
  trust(): void {
    this.#bufferBytes = BUFFER_BYTES;
  }

  /** The bytes read and not consumed: a view, valid until the next read. */
  unconsumed(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  consume(bytes: number): void {
    this.#start += bytes;
  }

  /** Reads more after what is unconsumed; returns the count, 0 at the end. */
  async read(size: "some" | "bulk" = "some"): Promise<number> {
    const bytes = size === "bulk" ? BULK_BYTES : this.#bufferBytes;
    const reading = this.#pending ?? this.#stream.read(this.#room(bytes));
    this.#pending = null;
    const count = await reading ?? 0;
    this.#end += count;
    if (count > 0) this.#isSilent = false;
    return count;
  }

  /** Whether all that came was consumed, and no read is outstanding. */
  get canReadInto(): boolean {
    return this.#pending === null && this.#end === this.#start;
  }

  /**
   * Reads past the buffer, into `room`; returns the count, 0 at the end. Call it
   * only where {@linkcode canReadInto} holds.
   */
  async readInto(room: Uint8Array): Promise<number> {
    return await this.#stream.read(room) ?? 0;
  }

  /** Sends each event at once, not when a packet is full. */
  sendAtOnce(): void {
    const stream = this.#stream;
    if ("setNoDelay" in stream) (stream as Deno.TcpConn).setNoDelay(true);
  }

  /** Whether the client uses a Unix socket, which only the owner can open. */
  get isPrivate(): boolean {
    return this.#stream.remoteAddr?.transport === "unix";
  }

  /** Whether the client is on this machine. */
  get isLocal(): boolean {
    const { remoteAddr } = this.#stream;
    if (remoteAddr.transport !== "tcp") return true;
    const { hostname } = remoteAddr;
    return hostname === "::1" || hostname.startsWith("127.") ||
      hostname.startsWith("::ffff:127.");
  }

  /** Calls `left` if the client leaves before the next read; never throws. */
  watch(left: () => void): void {
    if (this.#pending !== null) return;
    if (this.#end - this.#start >= AHEAD_BYTES_MAX) return;
    // The first answer may be one of hundreds of long streams, beside which
    // nothing is read: a small buffer will do.
    const bytes = this.#wasWatched ? this.#bufferBytes : this.#buffer.length;
    this.#wasWatched = true;
    const room = this.#room(Math.min(bytes, this.#bufferBytes));
    const reading = this.#stream.read(room);
    this.#pending = reading;
    reading.then((count) => {
      if (!count) left();
    }, left);
  }

  /** Writes all of `bytes`; rejects if the client is gone. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#stream.write(at === 0 ? bytes : bytes.subarray(at));
    }
  }

  /** Closes the connection; reads and writes that are under way reject. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stream.close();
  }

  /**
   * Ends our side and reads what still comes for a moment. Closed at once, the
   * system would withdraw an answer that the client has not read.
   */
  async linger(): Promise<void> {
    const timer = setTimeout(() => this.close(), LINGER_MS);
    try {
      await this.#stream.closeWrite();
      // Into the whole buffer: its bytes are not needed any more.
      let reading = this.#pending ?? this.#stream.read(this.#buffer);
      this.#pending = null;
      while (await reading) reading = this.#stream.read(this.#buffer);
    } catch {
      // The client has gone, which is an end as well.
    } finally {
      clearTimeout(timer);
      this.close();
    }
  }

  /** Returns where the next read goes; call it only if no read is outstanding. */
  #room(bytes: number): Uint8Array {
    const unconsumed = this.#end - this.#start;
    const isOther = unconsumed === 0 && this.#buffer.length !== bytes;
    if (isOther) this.#hold(this.#newBuffer(bytes));
    if (unconsumed === 0) this.#start = this.#end = 0;
    if (this.#buffer.length - this.#end < READ_BYTES_MIN) {
      const isRoomy = unconsumed <= this.#buffer.length / 2;
      const next = isRoomy
        ? this.#buffer
        : this.#newBuffer(grownBytes(this.#buffer.length));
      this.#buffer.copy(next, 0, this.#start, this.#end);
      if (!isRoomy) {
        const before = this.#buffer;
        this.#hold(next);
        if (this.#bufferBytes === UNPROVEN_BUFFER_BYTES) {
          this.#buffers?.give(before);
        }
      }
      this.#start = 0;
      this.#end = unconsumed;
    }
    return this.#buffer.subarray(this.#end);
  }

  #hold(next: Buffer): void {
    const more = next.length - this.#buffer.length;
    this.#buffer = next;
    this.#onResize?.(more);
  }
}

/** What a connection is doing. */
type Phase =
  /** No request has come yet. */
  | "new"
  | "serving"
  /** Its last answer has ended. */
  | "resting";

export interface ConnectionLimits {
  /** The most connections. Each may need a second descriptor upstream. */
  readonly connectionsMax: number;
  readonly unprovenMax: number;
  /** Memory for everything that unproven connections have sent. */
  readonly unprovenBytesMax: number;
}

/** Descriptors kept for the databases, state, logs and logins. */
const RESERVED_FILES = 40;
const CONNECTIONS_MIN = 8;
/** Their buffers take 8 MB. Fewer would not hold a burst of the owner's clients. */
const UNPROVEN_MAX = 2_048;
const UNPROVEN_BYTES_MAX = 32 * 1024 * 1024;
/** A new connection is safe this long: the owner's client needs to send a head. */
const GRACE_MS = 250;
const LOOK_MS = 50;
/**
 * The event loop gets so many turns before a connection is closed for another.
 * After a burst it is late, and the heads of clients that seem silent have come
 * but were not read.
 */
const TURNS_MIN = 3;

/**
 * Returns the limits for a process that may open `openFiles` descriptors; null
 * means that the number is unknown.
 */
export function connectionLimits(openFiles: number | null): ConnectionLimits {
  const files = openFiles ?? Infinity;
  const connectionsMax = Math.max(
    CONNECTIONS_MIN,
    Math.floor((files - RESERVED_FILES) / 2),
  );
  return {
    connectionsMax,
    unprovenMax: Math.min(UNPROVEN_MAX, Math.ceil(connectionsMax / 2)),
    unprovenBytesMax: UNPROVEN_BYTES_MAX,
  };
}

/** What is known of one connection. */
interface Standing {
  phase: Phase;
  /** Grows with each change of a phase, over all connections. */
  turn: number;
  readonly sinceMs: number;
}

/** All open connections of clients. */
export class ClientConnections {
  readonly #limits: ConnectionLimits;
  readonly #unproven = new Map<ClientConnection, Standing>();
  readonly #proven = new Map<ClientConnection, Standing>();
  #turns = 0;
  readonly #waiting: (() => void)[] = [];
  #isUnlimited = false;
  #unprovenBytes = 0;
  #closed = 0;

  constructor(limits: ConnectionLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#unproven.size + this.#proven.size;
  }

  /** How many connections were closed to make room. */
  get closed(): number {
    return this.#closed;
  }

  /** Memory of the unproven connections, in bytes. */
  get unprovenBytes(): number {
    return this.#unprovenBytes;
  }

  isProven(client: ClientConnection): boolean {
    return this.#proven.has(client);
  }

  /**
   * Adds `client` once there is room. It waits while every other connection
   * serves the owner or has just come: a burst of the owner's own clients must
   * not push out its first.
   */
  async add(client: ClientConnection): Promise<void> {
    for (let turns = 0; !this.#hasRoom(); turns++) {
      if (turns < TURNS_MIN) await new Promise((end) => setTimeout(end, 0));
      else if (!this.#closeIdle(GRACE_MS)) await this.#change();
    }
    const sinceMs = performance.now();
    this.#unproven.set(client, { phase: "new", turn: ++this.#turns, sinceMs });
    this.#unprovenBytes += client.heldBytes;
    client.onResize((bytes) => this.#held(client, bytes));
    // The mode of a Unix socket lets only its owner connect.
    if (client.isPrivate) this.prove(client);
  }

  /** Admits at once all that wait and that come: the server is ending. */
  unlimit(): void {
    this.#isUnlimited = true;
    this.#wake();
  }

  #hasRoom(): boolean {
    const { connectionsMax, unprovenMax } = this.#limits;
    return this.#isUnlimited ||
      this.size < connectionsMax && this.#unproven.size < unprovenMax;
  }

  /** Resolves when there may be room; it polls, since a grace ends silently. */
  async #change(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LOOK_MS);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }

  remove(client: ClientConnection): void {
    if (this.#unproven.delete(client)) this.#unprovenBytes -= client.heldBytes;
    this.#proven.delete(client);
    this.#wake();
  }

  /** Notes that a request on the connection has passed the door. */
  prove(client: ClientConnection): void {
    const stranger = this.#unproven.get(client);
    if (stranger === undefined) return;
    this.#unproven.delete(client);
    this.#unprovenBytes -= client.heldBytes;
    this.#proven.set(client, stranger);
    client.trust();
    this.#wake();
  }

  /** Notes what the connection does from now on. */
  enter(client: ClientConnection, phase: Phase): void {
    const proven = this.#proven.get(client);
    const standing = proven ?? this.#unproven.get(client);
    if (standing === undefined) return;
    standing.phase = phase;
    standing.turn = ++this.#turns;
    if (proven !== undefined && phase === "resting") this.#wake();
  }

  /** Closes all connections that are in `phase`. */
  closeAll(phase: Phase): void {
    for (const group of [this.#unproven, this.#proven]) {
      for (const [client, its] of group) {
        if (its.phase === phase) client.close();
      }
    }
  }

  /** Closes every connection at once. */
  abort(): void {
    for (const group of [this.#unproven, this.#proven]) {
      for (const client of group.keys()) client.close();
    }
  }

  /**
   * Closes one connection that serves no request: the unproven one that has
   * been silent longest, else the longest unproven, else the one that has rested
   * longest. Returns false if all of them serve.
   */
  closeIdle(): boolean {
    return this.#closeIdle(0);
  }

  /** Does the same, but spares unproven ones younger than `graceMs`. */
  #closeIdle(graceMs: number): boolean {
    const beforeMs = performance.now() - graceMs;
    const client = first(
      this.#unproven,
      (one, { sinceMs }) => one.isSilent && sinceMs <= beforeMs,
    ) ??
      first(this.#unproven, (_, { sinceMs }) => sinceMs <= beforeMs) ??
      this.#longestResting();
    if (client === null) return false;
    this.#close(client);
    return true;
  }

  /**
   * Returns null beside unproven connections: those end soon, while a client of
   * the owner may be sending its next request on a resting one.
   */
  #longestResting(): ClientConnection | null {
    if (this.#unproven.size > 0) return null;
    return first(this.#proven, (_, { phase }) => phase === "resting");
  }

  #held(client: ClientConnection, bytes: number): void {
    if (!this.#unproven.has(client)) return;
    this.#unprovenBytes += bytes;
    while (this.#unprovenBytes > this.#limits.unprovenBytesMax) {
      this.#close(this.#largest(client));
    }
  }

  #largest(start: ClientConnection): ClientConnection {
    let largest = start;
    for (const client of this.#unproven.keys()) {
      if (client.heldBytes > largest.heldBytes) largest = client;
    }
    return largest;
  }

  #close(client: ClientConnection): void {
    this.#closed++;
    client.close();
    this.remove(client);
  }
}

/** Returns the connection that `isIt` accepts and whose phase changed longest ago. */
function first(
  group: ReadonlyMap<ClientConnection, Standing>,
  isIt: (client: ClientConnection, its: Standing) => boolean,
): ClientConnection | null {
  let found: ClientConnection | null = null;
  let least = Infinity;
  for (const [client, its] of group) {
    if (its.turn >= least || !isIt(client, its)) continue;
    found = client;
    least = its.turn;
  }
  return found;
}
