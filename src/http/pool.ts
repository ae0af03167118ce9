/**
 * The connections to one origin. The one used last is taken first, so that the
 * others can grow old and end.
 *
 * @module
 */

import { UpstreamError } from "../errors.ts";
import {
  Connection,
  type ConnectionOwner,
  type ConnectionWatch,
  RestLimit,
} from "./connection.ts";
import { dial, type DialOptions, type Origin } from "./dial.ts";
import { withinLimit } from "./deadline.ts";

/** The limits of one origin's connections, and how they are opened. */
interface PoolOptions {
  readonly dial: DialOptions;
  readonly watch: ConnectionWatch;
  /** The most connections at once, including those being opened. */
  readonly connectionsMax: number;
  /** The most requests that wait for one; each waits as long as a connect may take. */
  readonly waitersMax: number;
}

/** Within this time the ends of connections are noticed without asking. */
const REST_MS = 200;

/** Gets a connection, or null as a permit to open one. */
type Waiter = (connection: Connection | null) => void;

/** All connections to one origin. */
export class ConnectionPool implements ConnectionOwner {
  readonly origin: Origin;
  readonly originName: string;
  openedTotal = 0;
  reusedTotal = 0;
  readonly #options: PoolOptions;
  readonly #open = new Set<Connection>();
  readonly #idle: Connection[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #closing = new AbortController();
  #opening = 0;
  readonly #rest = new RestLimit();
  #usedAtMs = -REST_MS;
  #hearing: Promise<void> | null = null;
  #warming = 0;

  constructor(origin: Origin, options: PoolOptions) {
    this.origin = origin;
    this.originName = origin.name;
    this.#options = options;
  }

  get openCount(): number {
    return this.#open.size;
  }

  get idleCount(): number {
    return this.#idle.length;
  }

  get isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Whether the pool has no connection and opens none. */
  get isUnused(): boolean {
    return this.#open.size + this.#opening === 0;
  }

  /**
   * After a rest, lets the event loop run once before a connection is taken: the
   * upstream may have closed it meanwhile, and a request written to it could not
   * be sent again. Returns null if there is nothing to wait for.
   */
  hearEnds(): Promise<void> | null {
    const nowMs = this.#options.dial.clock.monotonicMs();
    const restMs = nowMs - this.#usedAtMs;
    this.#usedAtMs = nowMs;
    if (this.#idle.length > 0 && restMs >= REST_MS) {
      this.#hearing ??= new Promise<void>((resolve) => setTimeout(resolve, 0))
        .finally(() => this.#hearing = null);
    }
    return this.#hearing;
  }

  /** Returns the resting connection that was used last, or null. */
  takeIdle(): Connection | null {
    if (this.#idle.length > 0 && this.#options.watch.hasOverslept()) {
      for (const connection of [...this.#idle]) connection.close(null);
    }
    const nowMs = this.#options.dial.clock.monotonicMs();
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return null;
      if (nowMs - connection.restedAtMs >= this.#rest.limitMs(nowMs)) {
        connection.close(null);
        continue;
      }
      if (!connection.enter("waiting")) continue;
      this.reusedTotal++;
      return connection;
    }
  }

  /** Opens a connection, or waits for one when no more may be open. */
  async connect(signal: AbortSignal): Promise<Connection> {
    if (this.#open.size + this.#opening < this.#options.connectionsMax) {
      this.#opening++;
      return await this.#dial(signal);
    }
    const handed = await this.#wait(signal);
    return handed ?? await this.#dial(signal);
  }

  /** Takes back a connection whose answer was read to its end, unless it is closed. */
  release(connection: Connection): void {
    if (connection.isClosed) return;
    const waiter = this.#nextWaiter();
    if (waiter !== null) {
      this.reusedTotal++;
      connection.isFresh = false;
      connection.restedAtMs = this.#options.dial.clock.monotonicMs();
      connection.enter("waiting");
      waiter(connection);
      return;
    }
    this.#park(connection);
  }

  /** Opens connections in advance until `count` rest or are being opened. */
  async warm(count: number): Promise<void> {
    const room = this.#options.connectionsMax - this.#open.size - this.#opening;
    const missing = Math.min(room, count - this.#idle.length - this.#warming);
    const dials: Promise<void>[] = [];
    for (let i = 0; i < missing; i++) dials.push(this.#warmOne());
    await Promise.all(dials);
  }

  /** Closes every connection, also those that serve a request. */
  close(because: unknown): void {
    this.#closing.abort(because);
    for (const connection of [...this.#open]) connection.close(because);
  }

  onSpoiled(connection: Connection): void {
    this.onDeadReuse(connection);
    connection.close(null);
  }

  onDeadReuse({ restedAtMs }: Connection): void {
    const nowMs = this.#options.dial.clock.monotonicMs();
    this.#rest.ended(nowMs - restedAtMs, nowMs);
  }

  onClosed(connection: Connection): void {
    this.#open.delete(connection);
    this.#options.watch.remove(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#opening++;
    this.#passPermit();
  }

  /** Uses one open permit, which is counted in `#opening`. */
  async #dial(signal: AbortSignal): Promise<Connection> {
    const either = AbortSignal.any([signal, this.#closing.signal]);
    let stream: Deno.Conn;
    try {
      stream = await dial(this.origin, this.#options.dial, either);
    } catch (cause) {
      this.#passPermit();
      throw cause;
    }
    const { isTls } = this.origin;
    const connection = new Connection(stream, { isTls, owner: this });
    this.#opening--;
    this.openedTotal++;
    this.#open.add(connection);
    this.#options.watch.add(connection);
    return connection;
  }

  async #warmOne(): Promise<void> {
    this.#opening++;
    this.#warming++;
    try {
      const connection = await this.#dial(this.#closing.signal);
      if (this.#closing.signal.aborted) connection.close(null);
      else this.#park(connection);
    } catch {
      // The request that needs the connection will meet the same fault.
    } finally {
      this.#warming--;
    }
  }

  #park(connection: Connection): void {
    const nowMs = this.#options.dial.clock.monotonicMs();
    if (connection.rest(nowMs)) this.#idle.push(connection);
  }

  async #wait(signal: AbortSignal): Promise<Connection | null> {
    const { waitersMax, dial: { clock, connectMs } } = this.#options;
    if (this.#waiters.size >= waitersMax) throw this.#fullError(null);
    const either = AbortSignal.any([signal, this.#closing.signal]);
    try {
      const limit = { clock, limitMs: connectMs, signal: either };
      return await withinLimit(limit, (limited) => this.#nextPermit(limited));
    } catch (cause) {
      if (!either.aborted) throw this.#fullError(cause);
      throw new UpstreamError(
        `Cannot connect to ${this.origin.name}: the request was given up`,
        { sent: false, step: "aborted", cause },
      );
    }
  }

  #nextPermit(signal: AbortSignal): Promise<Connection | null> {
    return new Promise((resolve, reject) => {
      this.#waiters.add(resolve);
      signal.addEventListener("abort", () => {
        // In this tick, so that no connection goes to a request that was given up.
        this.#waiters.delete(resolve);
        reject(signal.reason);
      });
    });
  }

  #fullError(cause: unknown): UpstreamError {
    const { connectionsMax } = this.#options;
    return new UpstreamError(
      `Cannot connect to ${this.origin.name}: all ${connectionsMax} connections are in use`,
      { sent: false, step: "connect", cause },
    );
  }

  /** Passes an unused open permit to the next waiter, if any. */
  #passPermit(): void {
    const waiter = this.#nextWaiter();
    if (waiter === null) this.#opening--;
    else waiter(null);
  }

  #nextWaiter(): Waiter | null {
    for (const waiter of this.#waiters) {
      this.#waiters.delete(waiter);
      return waiter;
    }
    return null;
  }
}
