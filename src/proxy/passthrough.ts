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
import { refusal } from "./service.ts";

/** Relays `request` to `origin` with the credential that the client shows. */
export async function passThrough(
  request: Request,
  { target, origin }: { readonly target: string; readonly origin: string },
  proxy: Proxy,
): Promise<Response> {
  const reading = await readBody(request, proxy.limits);
  if (reading.kind !== "body") {
    return refusal({
      status: reading.kind === "too_large" ? 413 : 400,
      type: "invalid_request_error",
      message: "The request body could not be taken",
      retryAfterSec: null,
    });
  }
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
  }
}
