/**
 * From an outcome to the answer that the client gets: the upstream's bytes as
 * they are, or an error of our own.
 *
 * @module
 */

import type { UpstreamResponse } from "../ports.ts";
import { responseHeaders } from "../wire/headers.ts";
import type { Outcome } from "./handler.ts";
import { ownError, plainResponse, settleOwn } from "./own_answer.ts";
import type { Inbound, Proxy } from "./proxy.ts";
import { Relayed } from "./relayed.ts";

/** The answer to an outcome; the request is settled at its end. */
export function answer(
  inbound: Inbound,
  outcome: Outcome,
  proxy: Proxy,
): Response {
  if (outcome.kind !== "relay" || outcome.attempt.response === null) {
    const own = ownError(inbound, outcome, proxy);
    settleOwn(inbound, own, proxy);
    return plainResponse(own.answer);
  }
  const { response } = outcome.attempt;
  const relayed = new Relayed(inbound, outcome, proxy);
  if (isBodiless(inbound.method, response.status)) {
    response.body.cancel();
    relayed.end({ kind: "complete" });
    return responseOf(null, response);
  }
  const { complete } = response.body;
  if (complete !== null) {
    relayed.show(complete);
    relayed.end({ kind: "complete" });
    return responseOf(complete as Uint8Array<ArrayBuffer>, response);
  }
  return responseOf(relayed.stream(response.body), response);
}

/** The upstream's status and lines around `body`. */
export function responseOf(
  body: BodyInit | null,
  { status, headers }: UpstreamResponse,
): Response {
  const response = new Response(body, { status });
  // One by one: the constructor checks a list five times as long.
  for (const [name, value] of responseHeaders(headers)) {
    response.headers.append(name, value);
  }
  return response;
}

/** Answers that never have a body, whatever their headers say. */
export function isBodiless(method: string, status: number): boolean {
  return method === "HEAD" || status === 204 || status === 205 ||
    status === 304;
}
