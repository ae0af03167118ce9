/**
 * From an outcome to the answer that the client gets: the upstream's bytes as
 * they are, or an error of our own.
 *
 * @module
 */

import type { UpstreamResponse } from "../ports.ts";
import { responseHeaders } from "../wire/headers.ts";
import type { ClientAnswer } from "../http/response.ts";
import type { Outcome } from "./handler.ts";
import { ownError, settleOwn } from "./own_answer.ts";
import type { Inbound, Proxy } from "./proxy.ts";
import { Relayed } from "./relayed.ts";

/** The answer to an outcome; the request is settled at its end. */
export function answer(
  inbound: Inbound,
  outcome: Outcome,
  proxy: Proxy,
): ClientAnswer {
  if (outcome.kind !== "relay" || outcome.attempt.response === null) {
    const own = ownError(inbound, outcome, proxy);
    settleOwn(inbound, own, proxy);
    return own.answer;
  }
  const { response } = outcome.attempt;
  const relayed = new Relayed(inbound, outcome, proxy);
  if (isBodiless(inbound.method, response.status)) {
    response.body.cancel();
    relayed.end({ kind: "complete" });
    return answerOf(null, response);
  }
  const { complete } = response.body;
  if (complete !== null) {
    relayed.show(complete);
    relayed.end({ kind: "complete" });
    return answerOf(complete, response);
  }
  return answerOf(relayed.passOn(response.body), response);
}

/** The upstream's status and lines around `body`. */
export function answerOf(
  body: ClientAnswer["body"],
  { status, headers }: UpstreamResponse,
): ClientAnswer {
  return { status, headers: responseHeaders(headers), body };
}

/** Answers that never have a body, whatever their headers say. */
export function isBodiless(method: string, status: number): boolean {
  return method === "HEAD" || status === 204 || status === 205 ||
    status === 304;
}
