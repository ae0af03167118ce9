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
  const init = { status: response.status, headers: headersOf(response) };
  if (isBodiless(inbound.method, response.status)) {
    response.body.cancel();
    relayed.end({ kind: "complete" });
    return new Response(null, init);
  }
  const { complete } = response.body;
  if (complete !== null) {
    relayed.show(complete);
    relayed.end({ kind: "complete" });
    return new Response(complete as Uint8Array<ArrayBuffer>, init);
  }
  return new Response(relayed.stream(response.body), init);
}

function headersOf(response: UpstreamResponse): [string, string][] {
  return responseHeaders(response.headers).map((
    [name, value],
  ) => [name, value]);
}

/** Answers that never have a body, whatever their headers say. */
function isBodiless(method: string, status: number): boolean {
  return method === "HEAD" || status === 204 || status === 205 ||
    status === 304;
}
