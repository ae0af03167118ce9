/**
 * Passes an upstream's answer on to the client. A copy of it is metered, and at
 * its end the request ends.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import type { TokenUsage } from "../core/usage.ts";
import { reasonOf } from "../errors.ts";
import { inflatedWhole, type PlainCopy, plainCopy } from "../http/inflate.ts";
import {
  type AnswerBody,
  type ClientAnswer,
  relay,
  type RelayEnd,
} from "../http/response.ts";
import type { HeaderList, UpstreamBody, UpstreamResponse } from "../ports.ts";
import { UsageMeter } from "../wire/answer/usage.ts";
import { headerValue } from "../wire/header_list.ts";
import { responseHeaders } from "../wire/headers.ts";
import { idsInAnswer } from "../wire/request/owned_ids.ts";
import type { Answered } from "./attempt.ts";
import type { Inbound, Proxy } from "./proxy.ts";
import type { Ending, RequestScope } from "./request_scope.ts";

/** Returns the answer that passes on what the upstream sent. */
export function relayed(scope: RequestScope, answered: Answered): ClientAnswer {
  const { response } = answered.attempt;
  const relaying = new Relaying(scope, answered);
  if (isBodiless(scope.inbound.method, response.status)) {
    response.body.cancel();
    relaying.end({ kind: "complete" });
    return answerOf(null, response);
  }
  const { complete } = response.body;
  if (complete !== null) {
    const onEnd = relaying.afterWrite(complete);
    return { ...answerOf(complete, response), onEnd };
  }
  return answerOf(relaying.passOn(response.body), response);
}

/** Returns an answer with the upstream's status and header lines. */
export function answerOf(
  body: ClientAnswer["body"],
  { status, headers }: UpstreamResponse,
): ClientAnswer {
  return { status, headers: responseHeaders(headers), body };
}

/** Whether answers of this kind never have a body, whatever their headers say. */
export function isBodiless(method: string, status: number): boolean {
  return method === "HEAD" || status === 204 || status === 205 ||
    status === 304;
}

/** One answer on its way to the client: observed, and the end of its request. */
export class Relaying {
  readonly #scope: RequestScope;
  readonly #answered: Answered;
  readonly #response: UpstreamResponse;
  readonly #meter: UsageMeter;
  /** Takes the content coding off what is metered; null if there is none. */
  readonly #copy: PlainCopy | null;
  readonly #isStream: boolean;
  /** A copy of the first part of the body, if a person asked for exchanges. */
  readonly #kept: Uint8Array[] | null;
  #keptBytes = 0;
  /** Collects an answer that may name new ids of the account. */
  readonly #ids: IdCollector | null;
  #firstByteMs: number | null = null;

  constructor(scope: RequestScope, answered: Answered) {
    this.#scope = scope;
    this.#answered = answered;
    this.#response = answered.attempt.response;
    const { status, headers } = this.#response;
    const type = headerValue(headers, "content-type") ?? "";
    const meter = new UsageMeter(type);
    this.#meter = meter;
    this.#isStream = type.startsWith("text/event-stream");
    const encoding = headerValue(headers, "content-encoding");
    this.#copy = encoding === null
      ? null
      : plainCopy(encoding, (bytes) => meter.push(bytes));
    this.#kept = scope.proxy.exchanges?.bodyBytesMax ? [] : null;
    this.#ids = IdCollector.for(scope.inbound, status, headers);
  }

  /** Returns `body` for the client; its end ends the request. */
  passOn(body: UpstreamBody): AnswerBody {
    this.#scope.noteStreaming(() => this.#usageSoFar());
    return relay(body, {
      tap: (chunk) => this.observe(chunk),
      onEnd: (end) => this.end(end),
    });
  }

  /** Returns a function that meters `body` and ends the request. */
  afterWrite(body: Uint8Array): NonNullable<ClientAnswer["onEnd"]> {
    let isEnded = false;
    return (end) => {
      if (isEnded) return;
      isEnded = true;
      // The account has paid for it in either case.
      this.observe(body);
      this.end({ kind: end === "written" ? "complete" : "client_gone" });
    };
  }

  /** Meters a chunk that the client has taken. */
  observe(chunk: Uint8Array): void {
    const { proxy, inbound } = this.#scope;
    this.#firstByteMs ??= proxy.clock.monotonicMs() - inbound.startedMs;
    if (this.#copy === null) this.#meter.push(chunk);
    else this.#copy.push(chunk);
    this.#ids?.push(chunk);
    if (this.#kept === null) return;
    const room = (proxy.exchanges?.bodyBytesMax ?? 0) - this.#keptBytes;
    if (room <= 0) return;
    this.#kept.push(chunk.slice(0, room));
    this.#keptBytes += Math.min(room, chunk.length);
  }

  /** Ends the request once the last bytes of the copy are metered. */
  end(end: RelayEnd): void {
    if (this.#copy === null) this.#end(end);
    else this.#copy.finish().then(() => this.#end(end));
  }

  #usageSoFar(): TokenUsage | null {
    return this.#isStream ? this.#meter.finish().usage : null;
  }

  #end(end: RelayEnd): void {
    try {
      this.#scope.end(this.#ending(end));
    } catch (cause) {
      this.#scope.fail(cause);
    }
  }

  #ending(end: RelayEnd): Ending {
    const { inbound, proxy } = this.#scope;
    const { choice } = this.#answered;
    const { status, headers } = this.#response;
    if (end.kind === "complete") this.#ids?.end(choice.accountId, proxy);
    noteSearch(inbound, status, proxy);
    return {
      choice,
      status,
      end: end.kind,
      firstByteMs: this.#firstByteMs,
      reading: this.#meter.finish(),
      reason: null,
      why: end.kind === "upstream_failed" ? reasonOf(end.cause) : null,
      answer: { headers, body: this.#kept },
    };
  }
}

/** A longer answer is not searched for ids. */
const ID_BYTES_MAX = 1024 * 1024;

/** Collects an answer that may name files, batches and the like of the account. */
class IdCollector {
  readonly #wanted: string | null;
  readonly #encoding: string | null;
  #chunks: Uint8Array[] | null = [];
  #bytes = 0;

  constructor(wanted: string | null, encoding: string | null) {
    this.#wanted = wanted;
    this.#encoding = encoding;
  }

  /** Returns a collector for an answer that may name ids; else null. */
  static for(
    { facts, wanted }: Inbound,
    status: number,
    headers: HeaderList,
  ): IdCollector | null {
    const isMessage = facts.path === "/v1/messages";
    if (isMessage || status < 200 || status >= 300) return null;
    const type = headerValue(headers, "content-type") ?? "";
    return type.startsWith("application/json")
      ? new IdCollector(wanted, headerValue(headers, "content-encoding"))
      : null;
  }

  push(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    if (this.#bytes > ID_BYTES_MAX) this.#chunks = null;
    this.#chunks?.push(chunk.slice());
  }

  /** Notes that `accountId` owns the ids in the answer. */
  end(accountId: AccountId, { pool, clock }: Proxy): void {
    if (this.#chunks === null) return;
    const whole = new Uint8Array(this.#bytes);
    let at = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    const plain = inflatedWhole(whole, this.#encoding, ID_BYTES_MAX);
    const ids = plain === null ? [] : idsInAnswer(plain);
    for (const id of this.#wanted === null ? ids : [this.#wanted, ...ids]) {
      pool.dispatch({ kind: "id_seen", id, accountId, at: clock.now() });
    }
  }
}

/** Notes that no account owns the id that was searched for. */
function noteSearch(
  { wanted, only }: Inbound,
  status: number,
  { pool, clock }: Proxy,
): void {
  if (wanted === null || only !== null || status !== 404) return;
  const at = clock.now();
  pool.dispatch({ kind: "id_seen", id: wanted, accountId: null, at });
}
