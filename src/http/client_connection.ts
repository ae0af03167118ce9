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
/** Until a request has passed the door: anybody can open connections. */
const UNPROVEN_BUFFER_BYTES = 4 * 1024;
/** While a long body comes. */
const BULK_BYTES = 256 * 1024;
/** With less room than this left, a read gets more. */
const READ_BYTES_MIN = 2 * 1024;
/** A client that sends the next requests ahead is read no further. */
const AHEAD_BYTES_MAX = 64 * 1024;
/** For a client that sends on what nobody wants: it shall see the answer. */
const LINGER_MS = 2_000;

/**
 * The buffer of a head that does not fit grows to one that holds any head: each
 * step leaves garbage behind, and strangers make thousands of them.
 */
const HEAD_BUFFER_BYTES = 36 * 1024;

function grownBytes(bytes: number): number {
  if (bytes < BUFFER_BYTES) return BUFFER_BYTES;
  return bytes < HEAD_BUFFER_BYTES ? HEAD_BUFFER_BYTES : 2 * bytes;
}

/** Buffers of one size that are kept. */
const KEPT_MAX = 64;

/**
 * Read buffers of connections that never proved themselves, for the next ones:
 * strangers who come by the thousand must not leave garbage by the megabyte.
 */
export class ReadBuffers {
  readonly #free = new Map<number, Buffer[]>();

  take(bytes: number): Buffer {
    return this.#free.get(bytes)?.pop() ?? Buffer.allocUnsafeSlow(bytes);
  }

  give(buffer: Buffer): void {
    const free = this.#free.get(buffer.length) ?? [];
    this.#free.set(buffer.length, free);
    if (free.length < KEPT_MAX) free.push(buffer);
  }
}

export class ClientConnection {
  readonly #stream: Deno.Conn;
  readonly #buffers: ReadBuffers | null;
  #bufferBytes = UNPROVEN_BUFFER_BYTES;
  #buffer: Buffer;
  #tellHeld: ((bytes: number) => void) | null = null;
  #isSilent = true;
  #start = 0;
  #end = 0;
  #pending: Promise<number | null> | null = null;
  #isClosed = false;

  constructor(stream: Deno.Conn, buffers: ReadBuffers | null = null) {
    this.#stream = stream;
    this.#buffers = buffers;
    this.#buffer = this.#newBuffer(UNPROVEN_BUFFER_BYTES);
  }

  #newBuffer(bytes: number): Buffer {
    return this.#buffers?.take(bytes) ?? Buffer.allocUnsafeSlow(bytes);
  }

  /**
   * Gives the read buffer of a closed connection to the next one. Not that of a
   * trusted client: somebody may still hold a view of its bytes.
   */
  async recycle(): Promise<void> {
    if (this.#bufferBytes !== UNPROVEN_BUFFER_BYTES) return;
    // The system may write into it until the last read has come back.
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

  /** Memory of the read buffer, in bytes. */
  get heldBytes(): number {
    return this.#buffer.length;
  }

  /** Whether no byte has come yet. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** Calls `tell` with each change of {@linkcode heldBytes}. */
  onHeld(tell: (bytes: number) => void): void {
    this.#tellHeld = tell;
  }

  /** Reads in larger pieces from here on: the client is the owner's. */
  trust(): void {
    this.#bufferBytes = BUFFER_BYTES;
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
    const bytes = size === "bulk" ? BULK_BYTES : this.#bufferBytes;
    const reading = this.#pending ?? this.#stream.read(this.#room(bytes));
    this.#pending = null;
    const count = await reading ?? 0;
    this.#end += count;
    if (count > 0) this.#isSilent = false;
    return count;
  }

  /** Sends events as they come, not when a packet is full. */
  hurry(): void {
    const stream = this.#stream;
    if ("setNoDelay" in stream) (stream as Deno.TcpConn).setNoDelay(true);
  }

  /** Whether it came by a Unix socket. */
  get isPrivate(): boolean {
    return this.#stream.remoteAddr?.transport === "unix";
  }

  /** Whether the other side is on this machine. */
  get isLocal(): boolean {
    const { remoteAddr } = this.#stream;
    if (remoteAddr.transport !== "tcp") return true;
    const { hostname } = remoteAddr;
    return hostname === "::1" || hostname.startsWith("127.") ||
      hostname.startsWith("::ffff:127.");
  }

  /** Calls `left` if the client goes before the next read; never throws. */
  watch(left: () => void): void {
    if (this.#pending !== null) return;
    if (this.#end - this.#start >= AHEAD_BYTES_MAX) return;
    const reading = this.#stream.read(this.#room(this.#bufferBytes));
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
      // Into the whole buffer: nothing of it is wanted any more.
      let reading = this.#pending ?? this.#stream.read(this.#buffer);
      this.#pending = null;
      while (await reading) reading = this.#stream.read(this.#buffer);
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
    this.#tellHeld?.(more);
  }
}

// MERGED client_connections.ts: The data plane: the connections of all clients, and which of them goes when there are too many. Any user of the machine can connect, so a connection counts as unproven until a request on it has passed the door. All unproven connections together may hold a fixed number of descriptors and a fixed amount of memory; they can never use up what the owner's requests need.

/** What a connection is doing. */
type Phase =
  /** No request has come yet. */
  | "new"
  | "serving"
  /** Its last answer has ended. */
  | "resting";

export interface ConnectionLimits {
  /** Connections at most. Each may need a second descriptor upstream. */
  readonly connectionsMax: number;
  readonly unprovenMax: number;
  /** Memory for everything that unproven connections have sent. */
  readonly unprovenBytesMax: number;
}

/** Descriptors for the databases, saves, logs, and logins. */
const RESERVED_FILES = 40;
const CONNECTIONS_MIN = 8;
const UNPROVEN_MAX = 512;
const UNPROVEN_BYTES_MAX = 32 * 1024 * 1024;
/** Time for the owner's client to send its first head before it may go. */
const GRACE_MS = 250;
const LOOK_MS = 50;

/**
 * Returns the limits for a process that may have `openFiles` descriptors; null
 * where nobody knows.
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

/** An unproven connection. */
interface Stranger {
  readonly phase: Phase;
  readonly sinceMs: number;
}

export class ClientConnections {
  readonly #limits: ConnectionLimits;
  /** Those that have changed their phase last stand last. */
  readonly #unproven = new Map<ClientConnection, Stranger>();
  readonly #proven = new Map<ClientConnection, Phase>();
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

  /** How many were closed for others so far. */
  get closed(): number {
    return this.#closed;
  }

  /** Memory that the unproven ones hold now. */
  get unprovenBytes(): number {
    return this.#unprovenBytes;
  }

  isProven(client: ClientConnection): boolean {
    return this.#proven.has(client);
  }

  /**
   * Takes `client` in, once there is room for it. Where every other connection
   * serves the owner or has just come, it waits: a burst of the owner's own
   * clients must not push out its first.
   */
  async add(client: ClientConnection): Promise<void> {
    while (!this.#hasRoom()) {
      if (!this.#closeIdle(GRACE_MS)) await this.#change();
    }
    this.#unproven.set(client, { phase: "new", sinceMs: performance.now() });
    this.#unprovenBytes += client.heldBytes;
    client.onHeld((bytes) => this.#held(client, bytes));
    // A Unix socket has a mode: only the owner reaches it.
    if (client.isPrivate) this.prove(client);
  }

  /** Lets in at once all who wait and who come: the server is ending. */
  unlimit(): void {
    this.#isUnlimited = true;
    this.#wake();
  }

  #hasRoom(): boolean {
    const { connectionsMax, unprovenMax } = this.#limits;
    return this.#isUnlimited ||
      this.size < connectionsMax && this.#unproven.size < unprovenMax;
  }

  /** Resolves when there may be room; a grace that passes tells nobody. */
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

  /** A request on it has passed the door. */
  prove(client: ClientConnection): void {
    const stranger = this.#unproven.get(client);
    if (stranger === undefined) return;
    this.#unproven.delete(client);
    this.#unprovenBytes -= client.heldBytes;
    this.#proven.set(client, stranger.phase);
    client.trust();
    this.#wake();
  }

  /** It is doing something else from now on. */
  enter(client: ClientConnection, phase: Phase): void {
    const stranger = this.#unproven.get(client);
    if (stranger !== undefined) {
      this.#unproven.delete(client);
      this.#unproven.set(client, { ...stranger, phase });
    } else if (this.#proven.delete(client)) {
      this.#proven.set(client, phase);
      if (phase === "resting") this.#wake();
    }
  }

  /** Closes all that are in `phase`. */
  closeAll(phase: Phase): void {
    for (const [client, its] of this.#unproven) {
      if (its.phase === phase) client.close();
    }
    for (const [client, its] of this.#proven) {
      if (its === phase) client.close();
    }
  }

  /** Cuts everything. */
  abort(): void {
    for (const group of [this.#unproven, this.#proven]) {
      for (const client of group.keys()) client.close();
    }
  }

  /**
   * Closes one connection that serves nobody: the unproven one that has been
   * silent longest, then the longest unproven, then the one that has rested
   * longest. Returns false where all of them serve.
   */
  closeIdle(): boolean {
    return this.#closeIdle(0);
  }

  /** The same, without those unproven that came less than `graceMs` ago. */
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
   * Never beside unproven ones: those go soon, and a client of the owner may
   * send its next request into a connection that is being closed.
   */
  #longestResting(): ClientConnection | null {
    if (this.#unproven.size > 0) return null;
    return first(this.#proven, (_, phase) => phase === "resting");
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

function first<Its>(
  group: ReadonlyMap<ClientConnection, Its>,
  isIt: (client: ClientConnection, its: Its) => boolean,
): ClientConnection | null {
  for (const [client, its] of group) if (isIt(client, its)) return client;
  return null;
}
