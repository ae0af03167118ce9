/**
 * The data plane: the connections of all clients, and which of them goes when
 * there are too many. Any user of the machine can connect, so a connection
 * counts as unproven until a request on it has passed the door. All unproven
 * connections together may hold a fixed number of descriptors and a fixed
 * amount of memory; they can never use up what the owner's requests need.
 *
 * @module
 */

import type { ClientConnection } from "./client_connection.ts";

/** What a connection is doing. */
export type Phase =
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
