/**
 * The answer of a hold whose silent part is over: the stream is open, pings
 * keep the client patient, and the upstream's events follow.
 *
 * @module
 */

import type { UpstreamResponse } from "../ports.ts";
import {
  chatError,
  sseComment,
  sseError,
  sseErrorBody,
  ssePing,
} from "../wire/answer/api_error.ts";
import { headerValue } from "../wire/header_list.ts";
import { isChatTarget } from "../wire/request/target.ts";
import { bodyOf, type ClientAnswer, streamOf } from "../http/response.ts";
import type { Outcome } from "./handler.ts";
import { inflated } from "../http/inflate.ts";
import { ownError, settleOwn } from "./own_answer.ts";
import type { Inbound, Proxy } from "./proxy.ts";
import { Relayed } from "./relayed.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;
type Controller = ReadableStreamDefaultController<Uint8Array>;

/** Pings that a client has not taken yet. */
const PINGS_WAITING_MAX = 16;

/**
 * A 200 with pings until `pursuit` has an outcome. The upstream's events come
 * without their content coding, since the head that would name it is out.
 */
export function heldAnswer(
  inbound: Inbound,
  pursuit: Promise<Outcome>,
  proxy: Proxy,
): ClientAnswer {
  inbound.line.state = "held";
  const held = new HeldStream(inbound, pursuit, proxy);
  return {
    status: 200,
    headers: [
      ["content-type", "text/event-stream; charset=utf-8"],
      ["cache-control", "no-cache"],
    ],
    body: bodyOf(held.stream()),
  };
}

class HeldStream {
  readonly #inbound: Inbound;
  readonly #pursuit: Promise<Outcome>;
  readonly #proxy: Proxy;
  #timer: ReturnType<typeof setInterval> | null = null;
  #serving: Promise<Reader> | null = null;
  #isGone = false;

  constructor(inbound: Inbound, pursuit: Promise<Outcome>, proxy: Proxy) {
    this.#inbound = inbound;
    this.#pursuit = pursuit;
    this.#proxy = proxy;
  }

  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>({
      start: (controller) => this.#start(controller),
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#cancel(),
    }, { highWaterMark: 1 });
  }

  #start(controller: Controller): void {
    const ping = isChatTarget(this.#inbound.target) ? sseComment : ssePing;
    controller.enqueue(ping());
    this.#timer = setInterval(() => {
      // A client that takes none has no use for more.
      const waiting = 1 - (controller.desiredSize ?? 1);
      if (waiting < PINGS_WAITING_MAX) controller.enqueue(ping());
    }, this.#proxy.holds.limits.pingMs);
  }

  async #pull(controller: Controller): Promise<void> {
    try {
      this.#serving ??= this.#served();
      const reader = await this.#serving;
      const { done, value } = await reader.read();
      if (this.#isGone) return;
      if (done) controller.close();
      else controller.enqueue(value);
    } catch (cause) {
      this.#stopPings();
      if (!this.#isGone) controller.error(cause);
    }
  }

  async #cancel(): Promise<void> {
    this.#isGone = true;
    this.#stopPings();
    try {
      // What the pursuit may have come to just now is given up as well.
      this.#serving ??= this.#served();
      await (await this.#serving).cancel();
    } catch {
      // The pursuit ended with the client: nothing is held.
    }
  }

  async #served(): Promise<Reader> {
    const outcome = await this.#pursuit;
    this.#stopPings();
    return body(this.#inbound, outcome, this.#proxy).getReader();
  }

  #stopPings(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}

/** The rest of a held stream: the upstream's events, or one error event. */
function body(
  inbound: Inbound,
  outcome: Outcome,
  proxy: Proxy,
): ReadableStream<Uint8Array> {
  const response = outcome.kind === "relay" ? outcome.attempt.response : null;
  if (outcome.kind === "relay" && response !== null && isEvents(response)) {
    const events = new Relayed(inbound, outcome, proxy).passOn(response.body);
    return inflated(
      streamOf(events),
      headerValue(response.headers, "content-encoding"),
    );
  }
  if (outcome.kind === "relay" && outcome.attempt.errorBody !== null) {
    return relayedError(inbound, outcome, proxy);
  }
  response?.body.cancel();
  if (outcome.kind === "relay") outcome.chosen.lease.close(null);
  const own = ownError(inbound, outcome, proxy);
  settleOwn(inbound, own, proxy);
  const { type, message } = own;
  return only(
    isChatTarget(inbound.target)
      ? chatError({ type, message })
      : sseError({ type, message, requestId: inbound.id }),
  );
}

function isEvents({ status, headers }: UpstreamResponse): boolean {
  const type = headerValue(headers, "content-type") ?? "";
  return status === 200 && type.startsWith("text/event-stream");
}

/** The upstream's own refusal, as the event that its head would have been. */
function relayedError(
  inbound: Inbound,
  outcome: Outcome & { readonly kind: "relay" },
  proxy: Proxy,
): ReadableStream<Uint8Array> {
  const { response, errorBody } = outcome.attempt;
  new Relayed(inbound, outcome, proxy).end({ kind: "complete" });
  response?.body.cancel();
  return only(sseErrorBody(errorBody ?? new Uint8Array(0)));
}

function only(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller): void {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}
