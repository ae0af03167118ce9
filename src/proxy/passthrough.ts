/**
 * Requests that need the client's own credential: token refreshes, Remote
 * Control, file transfers. They go through untouched and belong to no account.
 *
 * @module
 */

import { UpstreamError } from "../errors.ts";
import { passthroughHeaders } from "../wire/headers.ts";
import { isBodiless, responseOf } from "./answer.ts";
import { headerList, readBody } from "./inbound.ts";
import type { Proxy } from "./proxy.ts";
import { relay } from "./relay.ts";
import { refusal, refusedBody } from "./service.ts";

/** Relays `request` to `origin` with the credential that the client shows. */
export async function passThrough(
  request: Request,
  { target, origin }: { readonly target: string; readonly origin: string },
  proxy: Proxy,
): Promise<Response> {
  const reading = await readBody(request, proxy.limits, proxy.budget);
  if (reading.kind !== "body") return refusedBody(reading);
  try {
    const response = await proxy.upstream.send({
      origin,
      method: request.method,
      target,
      headers: passthroughHeaders(headerList(request.headers), proxy.localKey),
      body: reading.bytes.length === 0 ? null : reading.bytes,
      signal: request.signal,
    });
    const { complete } = response.body;
    if (isBodiless(request.method, response.status)) {
      response.body.cancel();
      return responseOf(null, response);
    }
    return complete === null
      ? responseOf(
        relay(response.body, {
          tap: null,
          onEnd: () => {},
          patience: proxy.patience,
        }),
        response,
      )
      : responseOf(complete as Uint8Array<ArrayBuffer>, response);
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
