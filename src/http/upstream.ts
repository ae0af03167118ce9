/**
 * Sends requests to upstreams over pooled HTTP/1.1 connections.
 *
 * A request is written at most once. If its connection turns out to be closed
 * before any byte of the request was sent, another connection is taken.
 *
 * @module
 */

import { UpstreamError } from "../errors.ts";
import type {
  Clock,
  Upstream,
  UpstreamRequest,
  UpstreamResponse,
} from "../ports.ts";
import { ConnectionPool } from "./pool.ts";
import { type ConnectionLimits, ConnectionWatch } from "./connection.ts";
import { parseOrigin } from "./dial.ts";
import { Exchange } from "./exchange.ts";
import {
  MessageWriter,
  type OutgoingMessage,
  RequestError,
} from "./request.ts";
import type { ProxyFor } from "./proxy_rules.ts";

/** Limits of requests; a request as a whole has no time limit. */
export interface UpstreamLimits extends ConnectionLimits {
  /** For resolving and connecting, and again for a corporate proxy's answer. */
  readonly connectMs: number;
  readonly tlsMs: number;
  /** The most connections to one origin. */
  readonly connectionsMax: number;
  /** The most requests that wait for one. */
  readonly waitersMax: number;
}

/**
 * The usual limits: a model may think for minutes before the first byte. The
 * clients' connections are limited by the descriptors of the process, and these
 * are never more than those at their peak.
 */
const UPSTREAM_LIMITS: UpstreamLimits = {
  connectMs: 10_000,
  tlsMs: 10_000,
  firstByteMs: 600_000,
  idleBodyMs: 300_000,
  idleMs: 30_000,
  connectionsMax: 8_192,
  waitersMax: 1_024,
};

/** How upstreams are reached. */
export interface UpstreamOptions {
  readonly clock: Clock;
  /** The rules for corporate proxies; without them there is none. */
  readonly proxyFor?: ProxyFor;
  /** Certificates of authorities that are trusted besides the usual ones, in PEM. */
  readonly caCerts?: readonly string[];
  readonly limits?: Partial<UpstreamLimits>;
}

/** Numbers of connections, over all origins. */
interface UpstreamStatistics {
  readonly open: number;
  readonly idle: number;
  /** Since the start. */
  readonly opened: number;
  /** Requests since the start that found a connection open. */
  readonly reused: number;
}

/** The connections to all origins. Without `close` its timer keeps running. */
export class UpstreamPool implements Upstream {
  readonly #limits: UpstreamLimits;
  readonly #options: UpstreamOptions;
  readonly #watch: ConnectionWatch;
  readonly #writer = new MessageWriter();
  readonly #pools = new Map<string, ConnectionPool>();
  #isClosed = false;

  constructor(options: UpstreamOptions) {
    this.#options = options;
    this.#limits = { ...UPSTREAM_LIMITS, ...options.limits };
    this.#watch = new ConnectionWatch(options.clock, this.#limits);
  }

  /** Sends a request at most once. Throws UpstreamError. */
  async send(request: UpstreamRequest): Promise<UpstreamResponse> {
    const pool = this.#poolOf(request.origin);
    const message = this.#message(request, pool.origin.host);
    const { method, signal } = request;
    for (;;) {
      if (signal.aborted) throw abortedError(request.origin, signal);
      const hearing = pool.hearEnds();
      if (hearing !== null) await hearing;
      const connection = pool.takeIdle() ?? await pool.connect(signal);
      const exchange = new Exchange(connection, pool, {
        method,
        signal,
        ...message,
      });
      try {
        const response = await exchange.run();
        if (exchange.isWholeSent) this.#writer.giveBack(message);
        return response;
      } catch (error) {
        if (!isUnsent(error) || signal.aborted) throw error;
        // The failure of a fresh connection is the upstream's fault: no retry helps.
        if (connection.isFresh && !exchange.wasClosedHere) throw error;
      }
    }
  }

  /**
   * Opens connections in advance, TLS included, until `count` rest in the pool.
   * A failure is ignored: the request that needs the connection will report it.
   */
  async warm(origin: string, count: number): Promise<void> {
    await this.#poolOf(origin).warm(count);
  }

  statistics(): UpstreamStatistics {
    const pools = [...this.#pools.values()];
    function sum(of: (pool: ConnectionPool) => number): number {
      return pools.reduce((total, pool) => total + of(pool), 0);
    }
    return {
      open: sum((pool) => pool.openCount),
      idle: sum((pool) => pool.idleCount),
      opened: sum((pool) => pool.openedTotal),
      reused: sum((pool) => pool.reusedTotal),
    };
  }

  /** Closes every connection, also those that are in use, and opens no more. */
  close(): void {
    this.#isClosed = true;
    this.#watch.stop();
    const because = new Error("tc is closing its upstream connections");
    for (const pool of this.#pools.values()) pool.close(because);
  }

  #poolOf(name: string): ConnectionPool {
    if (this.#isClosed) {
      throw new UpstreamError(`Cannot connect to ${name}: tc is stopping`, {
        sent: false,
        step: "aborted",
      });
    }
    const known = this.#pools.get(name);
    if (known !== undefined) return known;
    const { clock, proxyFor = () => null, caCerts = [] } = this.#options;
    const { connectMs, tlsMs, connectionsMax, waitersMax } = this.#limits;
    const pool = new ConnectionPool(parseOrigin(name), {
      dial: { clock, proxyFor, caCerts, connectMs, tlsMs },
      watch: this.#watch,
      connectionsMax,
      waitersMax,
    });
    this.#pools.set(name, pool);
    return pool;
  }

  #message(request: UpstreamRequest, host: string): OutgoingMessage {
    try {
      return this.#writer.message(request, host);
    } catch (cause) {
      if (!(cause instanceof RequestError)) throw cause;
      throw new UpstreamError(
        `Cannot send the request to ${request.origin}: ${cause.message}`,
        { sent: false, step: "write", cause },
      );
    }
  }
}

function abortedError(origin: string, { reason }: AbortSignal): UpstreamError {
  return new UpstreamError(
    `Cannot send the request to ${origin}: it was given up`,
    { sent: false, step: "aborted", cause: reason },
  );
}

/** Whether no byte left this machine and nobody gave the request up. */
function isUnsent(error: unknown): boolean {
  return error instanceof UpstreamError && !error.sent &&
    error.step !== "aborted";
}
