/**
 * Which part of the house answers a request that the door has let in and that
 * is not the control plane's: the way with the client's own credential, or the
 * pool.
 *
 * @module
 */

import { isWebSocketUpgrade } from "../wire/headers.ts";
import {
  isNoiseTarget,
  isOwnCredentialTarget,
  isTokenTarget,
} from "../wire/request/target.ts";
import type { IncomingRequest } from "../http/request.ts";
import type { ClientAnswer } from "../http/response.ts";
import type { Admission } from "./door.ts";
import { readBody } from "./inbound.ts";
import { passThrough } from "./passthrough.ts";
import type { Proxy } from "./proxy.ts";
import { refusal, refusedBody, serveRequest } from "./service.ts";

/** The parts that answer. */
export interface AnswerOptions {
  readonly proxy: Proxy;
  /** Where token refreshes of clients go: scheme, host, port and path. */
  readonly tokenUrl: URL;
}

/** The answer to an admitted request, by its method and path. */
export function answerFor(
  incoming: IncomingRequest,
  { target, keyHeaders, hasKey }: Admission & { readonly kind: "admitted" },
  options: AnswerOptions,
): Promise<ClientAnswer> | ClientAnswer {
  const { proxy } = options;
  // Browsers alone send it, and unasked too: for the icon of a page, or where
  // another program's link leads. Nobody meant that to reach the API.
  if (!hasKey && incoming.headers.has("sec-fetch-site")) {
    return refusal({
      status: 403,
      type: "permission_error",
      message: "tc: A browser needs the local key here: see tc env",
      retryAfterSec: null,
    });
  }
  if (isWebSocketUpgrade(incoming.headers.list)) {
    return refusal({
      status: 501,
      type: "api_error",
      message: "tc relays no WebSocket: connect to the API itself for this",
      retryAfterSec: null,
    });
  }
  if (isTokenTarget(incoming.method, target)) {
    const { tokenUrl } = options;
    const query = target.slice(target.split("?", 1)[0]?.length);
    return passThrough(incoming, {
      target: `${tokenUrl.pathname}${query}`,
      origin: tokenUrl.origin,
    }, proxy);
  }
  if (isOwnCredentialTarget(target)) {
    const hasOwn = (["authorization", "x-api-key"] as const).some((name) =>
      incoming.headers.has(name) && !keyHeaders.includes(name)
    );
    if (hasOwn) {
      return passThrough(incoming, {
        target: `${proxy.basePath}${target}`,
        origin: proxy.origin,
      }, proxy);
    }
    return refusal({
      status: 403,
      type: "permission_error",
      message:
        "This path requires the client's own credential; tc cannot use a pooled account here",
      retryAfterSec: null,
    });
  }
  if (isNoiseTarget(incoming.method, target)) return noise(incoming, proxy);
  return serveRequest(incoming, target, proxy);
}

/** Health checks and telemetry need no account. */
async function noise(
  incoming: IncomingRequest,
  proxy: Proxy,
): Promise<ClientAnswer> {
  const reading = await readBody(incoming.body, proxy.limits, proxy.budget);
  if (reading.kind !== "body") return refusedBody(reading);
  proxy.budget.give(reading.bytes.length);
  return {
    status: 200,
    headers: [["content-type", "application/json"]],
    body: HEALTHY,
  };
}

const HEALTHY = new TextEncoder().encode('{"status":"ok","service":"tc"}');
