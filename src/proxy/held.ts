/**
 * The answer to a request that waits longer than the silent part of its hold:
 * its stream is open, pings keep the client patient, and the upstream's events
 * follow.
 *
 * @module
 */

import { inflated } from "../http/inflate.ts";
import { bodyOf, type ClientAnswer, streamOf } from "../http/response.ts";
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
import type { Outcome } from "./attempt.ts";
import { Relaying } from "./relay.ts";
import type { RequestScope } from "./request_scope.ts";
import { endWith, ownError } from "./respond.ts";

type Reader = ReadableStreamDefaultReader<Uint8Array>;
type Controller = ReadableStreamDefaultController<Uint8Array>;

/** The most pings that wait for the client to take them. */
const PINGS_WAITING_MAX = 16;

/**
 * Returns a 200 with pings until `pursuit` has an outcome. The upstream's events
 * follow without their content coding: the head that would name it was sent.
 */
export function heldAnswer(
  scope: RequestScope,
  pursuit: Promise<Outcome>,
): ClientAnswer {
  scope.noteHeld();
  return {
    status: 200,
    headers: [
      ["content-type", "text/event-stream; charset=utf-8"],
      ["cache-control", "no-cache"],
    ],
    body: bodyOf(new HeldStream(scope, pursuit).stream()),
  };
}

class HeldStream {
  readonly #scope: RequestScope;
  readonly #pursuit: Promise<Outcome>;
  #timer: ReturnType<typeof setInterval> | null = null;
  #serving: Promise<Reader> | null = null;
  #isGone = false;

  constructor(scope: RequestScope, pursuit: Promise<Outcome>) {
    this.#scope = scope;
    this.#pursuit = pursuit;
  }

  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>({
      start: (controller) => this.#start(controller),
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#cancel(),
    }, { highWaterMark: 1 });
  }

  #start(controller: Controller): void {
    const { inbound, proxy } = this.#scope;
    const ping = isChatTarget(inbound.target) ? sseComment : ssePing;
    controller.enqueue(ping());
    this.#timer = setInterval(() => {
      // More pings are useless to a client that takes none.
      const waiting = 1 - (controller.desiredSize ?? 1);
      if (waiting < PINGS_WAITING_MAX) controller.enqueue(ping());
    }, proxy.holds.limits.pingMs);
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
      // An outcome that came in this moment is given up as well.
      this.#serving ??= this.#served();
      await (await this.#serving).cancel();
    } catch {
      // The pursuit ended with the client and holds nothing.
    }
  }

  async #served(): Promise<Reader> {
    const outcome = await this.#pursuit;
    this.#stopPings();
    try {
      return eventsOf(this.#scope, outcome).getReader();
    } catch (cause) {
      this.#scope.fail(cause);
      throw cause;
    }
  }

  #stopPings(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}

/** Returns the rest of a held stream: the upstream's events, or one error event. */
function eventsOf(
  scope: RequestScope,
  outcome: Outcome,
): ReadableStream<Uint8Array> {
  if (outcome.kind === "relay") {
    const { response, errorBody } = outcome.attempt;
    if (isEvents(response)) {
      const events = new Relaying(scope, outcome).passOn(response.body);
      const encoding = headerValue(response.headers, "content-encoding");
      return inflated(streamOf(events), encoding);
    }
    response.body.cancel();
    if (errorBody !== null) {
      // The upstream's own refusal, as an event.
      new Relaying(scope, outcome).end({ kind: "complete" });
      return only(sseErrorBody(errorBody));
    }
  }
  const { inbound } = scope;
  const own = ownError(scope, outcome);
  endWith(scope, own);
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

function only(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller): void {
      controller.enqueue(bytes);
      controller.close();
    },
  });
}
