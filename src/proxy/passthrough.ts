/**
 * Requests that need the client's own credential: token refreshes, Remote
 * Control, file transfers. They go through untouched and belong to no account.
 *
 * @module
 */

import { UpstreamError } from "../errors.ts";
import { passthroughHeaders, responseHeaders } from "../wire/headers.ts";
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
    const headers = responseHeaders(response.headers)
      .map(([name, value]): [string, string] => [name, value]);
    const init = { status: response.status, headers };
    const { complete } = response.body;
    if (
      request.method === "HEAD" || [204, 205, 304].includes(response.status)
    ) {
      response.body.cancel();
      return new Response(null, init);
    }
    if (complete !== null) {
      return new Response(complete as Uint8Array<ArrayBuffer>, init);
    }
    return new Response(relay(response.body, null, () => {}), init);
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
