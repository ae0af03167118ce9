/**
 * A plain TCP origin whose answers are bytes: for faults that no HTTP server
 * would make, such as a garbage status line or a cut in the middle of a head.
 *
 * @module
 */

import { digest } from "./dice.ts";
import {
  deliver,
  type OpenOriginRequest,
  type OriginAnswer,
  type OriginRequest,
} from "./origin_answer.ts";
import { headerOf, RawConnection, type RawRequest } from "./raw_connection.ts";

export type OriginRule = (request: OriginRequest) => OriginAnswer;

/** Listens on 127.0.0.1; answers 200 with an empty JSON object until told else. */
export function startScriptedOrigin(
  options: { readonly port?: number } = {},
): ScriptedOrigin {
  return new ScriptedOrigin(
    Deno.listen({ hostname: "127.0.0.1", port: options.port ?? 0 }),
  );
}

export class ScriptedOrigin implements AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly #listener: Deno.TcpListener;
  readonly #requests: OpenOriginRequest[] = [];
  readonly #next: OriginAnswer[] = [];
  readonly #open = new Map<RawConnection, Promise<void>>();
  #rule: OriginRule = () => ({ body: "{}" });
  #connections = 0;
  readonly #accepting: Promise<void>;

  constructor(listener: Deno.TcpListener) {
    this.#listener = listener;
    this.port = listener.addr.port;
    this.url = `http://127.0.0.1:${this.port}`;
    this.#accepting = this.#accept();
  }

  /** The answer to the next request, before any rule. */
  next(...answers: readonly OriginAnswer[]): void {
    this.#next.push(...answers);
  }

  /** The answer to every request that has none of its own. */
  always(rule: OriginRule | OriginAnswer): void {
    this.#rule = typeof rule === "function" ? rule : () => rule;
  }

  /** All requests, oldest first. */
  requests(): readonly OriginRequest[] {
    return this.#requests;
  }

  /** Connections accepted so far. */
  get connections(): number {
    return this.#connections;
  }

  /** Connections open now. */
  get openConnections(): number {
    return this.#open.size;
  }

  async stop(): Promise<void> {
    this.#listener.close();
    const running = [...this.#open.values()];
    for (const connection of this.#open.keys()) connection.close();
    await Promise.all([this.#accepting, ...running]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #accept(): Promise<void> {
    for await (const accepted of this.#listener) {
      accepted.setNoDelay();
      const connection = new RawConnection(accepted);
      const serving = this.#serve(connection, this.#connections++)
        .finally(() => this.#open.delete(connection));
      this.#open.set(connection, serving);
    }
  }

  async #serve(connection: RawConnection, number: number): Promise<void> {
    let last: OpenOriginRequest | null = null;
    for (;;) {
      const head = await connection.readHead();
      if (head === null) break;
      last = openRequest(head, this.#requests.length, number);
      this.#requests.push(last);
      if (!await this.#answer(connection, last)) break;
    }
    connection.close();
    if (last === null) return;
    last.closedBy ??= "client";
    last.closedAtMs = performance.now();
  }

  /** Whether the connection can take another request. */
  async #answer(
    connection: RawConnection,
    request: OpenOriginRequest,
  ): Promise<boolean> {
    const early = this.#next[0]?.isEarly === true ? this.#next.shift() : null;
    if (early === null || early === undefined) {
      request.body = await connection.readBody(request.headers);
      request.bodySha256 = digest([request.body]);
    }
    const answer = early ?? this.#next.shift() ?? this.#rule(request);
    const isKept = await deliver({ connection, request, answer });
    if (!isKept || !closesAfter(request, answer)) return isKept;
    request.closedBy = "origin";
    return false;
  }
}

function openRequest(
  head: Omit<RawRequest, "body">,
  ordinal: number,
  connection: number,
): OpenOriginRequest {
  return {
    ...head,
    body: new Uint8Array(0),
    bodySha256: "",
    ordinal,
    connection,
    arrivedAtMs: performance.now(),
    writtenBytes: 0,
    closedAtMs: null,
    closedBy: null,
  };
}

function closesAfter(request: RawRequest, answer: OriginAnswer): boolean {
  return answer.framing === "close" || answer.isEarly === true ||
    headerOf(request.headers, "connection")?.toLowerCase() === "close";
}
