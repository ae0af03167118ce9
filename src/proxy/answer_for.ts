/**
 * Which part of the house answers a request that the door has let in: the
 * control plane, the way with the client's own credential, or the pool.
 *
 * @module
 */

import {
  isNoiseTarget,
  isOwnCredentialTarget,
  isTokenTarget,
} from "../wire/target.ts";
import type { Admission } from "./door.ts";
import { passThrough } from "./passthrough.ts";
import type { Proxy } from "./proxy.ts";
import { asksForUpgrade, refusal, serveRequest } from "./service.ts";

/** The parts that answer. */
export interface AnswerOptions {
  readonly proxy: Proxy;
  /** Where token refreshes of clients go: scheme, host, port and path. */
  readonly tokenUrl: URL;
  /** Answers the control plane's paths, or null for those that are not its. */
  readonly control: (
    request: Request,
    target: string,
  ) => Promise<Response> | null;
}

/** The answer to an admitted request, by its method and path. */
export function answerFor(
  request: Request,
  { target, keyHeaders, hasKey }: Admission & { readonly kind: "admitted" },
  options: AnswerOptions,
): Promise<Response> | Response {
  const { proxy } = options;
  const controlled = options.control(request, target);
  if (controlled !== null) return controlled;
  // Browsers alone send it, and unasked too: for the icon of a page, or where
  // another program's link leads. Nobody meant that to reach the API.
  if (!hasKey && request.headers.has("sec-fetch-site")) {
    return refusal({
      status: 403,
      type: "permission_error",
      message: "tc: A browser needs the local key here: see tc env",
      retryAfterSec: null,
    });
  }
  if (asksForUpgrade(request.headers)) {
    return refusal({
      status: 501,
      type: "api_error",
      message: "tc relays no WebSocket: connect to the API itself for this",
      retryAfterSec: null,
    });
  }
  if (isTokenTarget(request.method, target)) {
    const { tokenUrl } = options;
    const query = target.slice(target.split("?", 1)[0]?.length);
    return passThrough(request, {
      target: `${tokenUrl.pathname}${query}`,
      origin: tokenUrl.origin,
    }, proxy);
  }
  if (isOwnCredentialTarget(target)) {
    const hasOwn = request.headers.has("authorization") &&
      !keyHeaders.includes("authorization");
    if (hasOwn) {
      return passThrough(request, {
        target: `${proxy.basePath}${target}`,
        origin: proxy.origin,
      }, proxy);
    }
    return refusal({
      status: 403,
      type: "permission_error",
      message:
        "This path needs Claude Code's own login: tc lends it no account",
      retryAfterSec: null,
    });
  }
  if (isNoiseTarget(request.method, target)) return noise(request);
  return serveRequest(request, target, proxy);
}

/** Health checks and telemetry need no account. */
async function noise(request: Request): Promise<Response> {
  await request.body?.cancel();
  const isHead = request.method === "HEAD";
  return new Response(isHead ? null : '{"status":"ok","service":"tc"}', {
    headers: { "content-type": "application/json" },
  });
}
