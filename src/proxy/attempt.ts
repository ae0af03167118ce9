/**
 * One try on one account: credential, send, judge. Nothing goes to the client
 * from here.
 *
 * @module
 */

import { modelFamily } from "../core/account.ts";
import {
  type CapacityVerdict,
  classify,
  classifyLookUp,
} from "../core/quota/verdict.ts";
import { reasonOf, TcError, UpstreamError } from "../errors.ts";
import type { Authorization, Lease, UpstreamResponse } from "../ports.ts";
import { requestHeaders } from "../wire/headers.ts";
import {
  forRequest,
  observation,
  responseFacts,
} from "../wire/answer/ratelimit.ts";
import { pathKind } from "../wire/request/target.ts";
import { replaceModel } from "../wire/request/request_model.ts";
import { destinationOf } from "./destination.ts";
import type { Inbound, Proxy } from "./proxy.ts";
import { type ReadAhead, readAhead } from "./read_ahead.ts";

/** One try, judged. The lease is still open. */
export interface Attempt {
  readonly lease: Lease;
  readonly verdict: CapacityVerdict;
  readonly authorization: Authorization | null;
  /** Null when no head came. */
  readonly response: UpstreamResponse | null;
  /** The answer's error without content coding; null where there is none. */
  readonly errorBody: Uint8Array | null;
  /** Why no answer came, in words; else null. */
  readonly failure: string | null;
}

/** Sends the request once on the lease's account; throws only if the client left. */
export async function tryOnce(
  inbound: Inbound,
  lease: Lease,
  proxy: Proxy,
): Promise<Attempt> {
  let authorization: Authorization | null = null;
  try {
    authorization = await proxy.credentials.authorization(
      lease.accountId,
      inbound.signal,
    );
    const response = await proxy.upstream.send(
      request(inbound, authorization, proxy),
    );
    return await judged({ inbound, lease, authorization, response }, proxy);
  } catch (cause) {
    inbound.signal.throwIfAborted();
    return {
      lease,
      authorization,
      response: null,
      errorBody: null,
      verdict: verdictOf(cause, authorization),
      failure: reasonOf(cause),
    };
  }
}

function request(
  inbound: Inbound,
  authorization: Authorization,
  proxy: Proxy,
): Parameters<Proxy["upstream"]["send"]>[0] {
  const { modelMap } = authorization;
  const body = inbound.body.length === 0 ? null : inbound.body;
  return {
    ...destinationOf(authorization, inbound.target, proxy),
    method: inbound.method,
    headers: requestHeaders(inbound.headers, authorization, proxy.localKey),
    body: modelMap === null || body === null
      ? body
      : replaceModel(body, modelMap),
    upload: inbound.upload,
    signal: inbound.signal,
  };
}

/** A credential that could not be had is the account's fault, not the request's. */
function verdictOf(
  cause: unknown,
  authorization: Authorization | null,
): CapacityVerdict {
  if (cause instanceof UpstreamError && authorization !== null) {
    return { kind: "unreachable", sent: cause.sent };
  }
  const isUnusable = cause instanceof TcError &&
    cause.code === "bad_credential";
  if (authorization === null || isUnusable) {
    return { kind: "credential", fault: "unavailable" };
  }
  throw cause;
}

/**
 * Reads ahead as far as the verdict takes. While the upstream only pings, the
 * client's stream is opened after the hold's silent part, so that it is not
 * left without a byte; the answer may still come from another account.
 */
async function aheadOf({ inbound, response }: Answered): Promise<ReadAhead> {
  const opening: { callOff: (() => void) | null } = { callOff: null };
  function onPing(): void {
    opening.callOff ??= inbound.hold.openLater();
  }
  try {
    return await readAhead(response, onPing);
  } catch (cause) {
    response.body.cancel();
    throw cause;
  } finally {
    opening.callOff?.();
  }
}

interface Answered {
  readonly inbound: Inbound;
  readonly lease: Lease;
  readonly authorization: Authorization;
  readonly response: UpstreamResponse;
}

async function judged(answered: Answered, proxy: Proxy): Promise<Attempt> {
  const { inbound, lease, authorization } = answered;
  const now = proxy.clock.now();
  const seen = observation(answered.response.headers, lease.accountId, now);
  if (seen !== null) {
    proxy.pool.dispatch({ kind: "quota_observed", observation: seen });
  }

  const { response, errorBody, status } = await aheadOf(answered);
  const facts = responseFacts(status, response.headers, errorBody, now);
  const { model, betas, contextTokens, client, path } = inbound.facts;
  const family = modelFamily(model ?? "");
  const asked = { model, betas, contextTokens, client, path, family };
  const read = forRequest(facts, asked);
  const verdict = inbound.facts.isMetered
    ? classify(read, now)
    : classifyLookUp(read, now, {
      path: pathKind(path),
      isSearch: inbound.wanted !== null,
    });
  const failure = null;
  return { lease, authorization, response, errorBody, verdict, failure };
}
