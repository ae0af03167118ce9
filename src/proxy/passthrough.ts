/**
 * Requests that need the client's own credential: token refreshes, Remote
 * Control, file transfers. They go through untouched and belong to no account.
 *
 * @module
 */

import { UpstreamError } from "../errors.ts";
import { passthroughHeaders } from "../wire/headers.ts";
import { answerOf, isBodiless } from "./answer.ts";
import type { IncomingRequest } from "../http/request.ts";
import type { ClientAnswer } from "../http/response.ts";
import { readBody } from "./inbound.ts";
import type { Proxy } from "./proxy.ts";
import { refusal, refusedBody } from "./service.ts";

/** Relays `incoming` to `origin` with the credential that the client shows. */
export async function passThrough(
  incoming: IncomingRequest,
  { target, origin }: { readonly target: string; readonly origin: string },
  proxy: Proxy,
): Promise<ClientAnswer> {
  const reading = await readBody(incoming.body, proxy.limits, proxy.budget);
  if (reading.kind !== "body") return refusedBody(reading);
  try {
    const response = await proxy.upstream.send({
      origin,
      method: incoming.method,
      target,
      headers: passthroughHeaders(incoming.headers.list, proxy.localKey),
      body: reading.bytes.length === 0 ? null : reading.bytes,
      signal: incoming.signal,
    });
    if (isBodiless(incoming.method, response.status)) {
      response.body.cancel();
      return answerOf(null, response);
    }
    const { complete } = response.body;
    return answerOf(complete ?? response.body, response);
  } catch (cause) {
    const sent = !(cause instanceof UpstreamError) || cause.sent;
    proxy.journal.log("warn", "relay", {
      path: target.split("?", 1)[0] ?? "",
      sent,
    });
    return refusal({
      status: 502,
      type: "api_error",
      message: sent
        ? "tc lost the connection to the API; the request was not sent again"
        : "tc cannot reach the API",
      retryAfterSec: null,
    });
  } finally {
    // Whatever of the answer is still to come, the body is not sent again.
    proxy.budget.give(reading.bytes.length);
  }
}
