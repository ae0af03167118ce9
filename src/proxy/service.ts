/**
 * One admitted request from its body to its answer.
 *
 * @module
 */

import type { AccountId, TicketId } from "../core/account.ts";
import { POLICY_NAMES, type PolicyName } from "../core/settings.ts";
import { apiError, type ApiErrorOptions } from "../wire/answer/api_error.ts";
import { understandsLimits } from "../wire/answer/limit_answer.ts";
import { peek } from "../wire/request/request_peek.ts";
import { isMeteredTarget } from "../wire/request/target.ts";
import { answer } from "./answer.ts";
import type { HeaderLookup, IncomingRequest } from "../http/request.ts";
import type { ClientAnswer } from "../http/response.ts";
import { routeFacts } from "./conversation.ts";
import { type Outcome, pursue } from "./handler.ts";
import { heldAnswer } from "./held_answer.ts";
import { Hold, type HoldManner } from "./hold.ts";
import { type BodyReading, readBody } from "./inbound.ts";
import type { Inbound, Proxy } from "./proxy.ts";
import { ownerFor } from "./owners.ts";
import { settle } from "./settle.ts";
import { type Upload, uploadFor } from "./upload.ts";
import { stackOf } from "../errors.ts";

/** Names the only account that may serve a request: `tc run --account`. */
const ACCOUNT_HEADER = "x-tc-account";

/** Names the policy that a request is routed by: `tc run --policy`. */
const POLICY_HEADER = "x-tc-policy";

/** Answers a request that the door let in. Never throws. */
export async function serveRequest(
  incoming: IncomingRequest,
  target: string,
  proxy: Proxy,
): Promise<ClientAnswer> {
  const upload = uploadFor(incoming, target, proxy);
  const reading: BodyReading = upload === null
    ? await readBody(incoming.body, proxy.limits, proxy.budget)
    : { kind: "body", bytes: new Uint8Array(0) };
  if (reading.kind !== "body") return refusedBody(reading);
  const wishes = wishesOf(incoming.headers, proxy);
  if (wishes.kind === "unknown") {
    proxy.budget.give(reading.bytes.length);
    return refusal({
      status: 400,
      type: "invalid_request_error",
      message: wishes.message,
      retryAfterSec: null,
    });
  }
  const inbound = inboundOf(
    incoming,
    { target, bytes: reading.bytes, upload, wishes },
    proxy,
  );
  proxy.book.add(inbound.line);
  return await answered(inbound, proxy);
}

async function answered(
  inbound: Inbound,
  proxy: Proxy,
): Promise<ClientAnswer> {
  const pursuit = pursue(inbound, proxy);
  // Whoever awaits it below sees the failure too; it is booked here, once.
  pursuit.catch((cause) => settleLost(inbound, cause, proxy));
  try {
    const first = inbound.hold.manner === "pings"
      ? await Promise.race([pursuit, inbound.hold.opened])
      : await pursuit;
    return first === undefined
      ? heldAnswer(inbound, pursuit, proxy)
      : answer(inbound, first satisfies Outcome, proxy);
  } catch {
    // The client has left, or a fault was logged; this answer closes the books.
    return apiError({
      status: 500,
      type: "api_error",
      message: "tc could not serve this request: see its log",
      retryAfterSec: null,
    });
  }
}

function settleLost(inbound: Inbound, cause: unknown, proxy: Proxy): void {
  const isGone = inbound.signal.aborted;
  if (!isGone) {
    const fault = stackOf(cause);
    proxy.journal.log("error", "fault", { request: inbound.id, fault });
  }
  settle(inbound, {
    chosen: null,
    status: isGone ? 499 : 500,
    end: isGone ? "client_gone" : "refused",
    firstByteMs: null,
    reading: null,
    reason: isGone ? "client_gone" : "fault",
    why: null,
    answer: null,
  }, proxy);
}

/** What a launch asked for, in headers that end here. */
interface Wishes {
  readonly kind: "wishes";
  readonly only: AccountId | null;
  readonly policy: PolicyName | null;
}

interface UnknownWish {
  readonly kind: "unknown";
  readonly message: string;
}

function wishesOf(headers: HeaderLookup, proxy: Proxy): Wishes | UnknownWish {
  const label = headers.get(ACCOUNT_HEADER);
  const only = label === null ? null : accountNamed(label, proxy);
  if (label !== null && only === null) {
    const message = `tc has no account named ${label}: see tc accounts`;
    return { kind: "unknown", message };
  }
  const name = headers.get(POLICY_HEADER);
  const policy = POLICY_NAMES.find((known) => known === name) ?? null;
  if (name !== null && policy === null) {
    const message = `tc has no policy named ${name}: there are ${
      POLICY_NAMES.join(", ")
    }`;
    return { kind: "unknown", message };
  }
  return { kind: "wishes", only, policy };
}

function accountNamed(label: string, { pool }: Proxy): AccountId | null {
  for (const { account } of pool.snapshot().accounts.values()) {
    if (account.label === label || account.id === label) return account.id;
  }
  return null;
}

interface Received {
  readonly target: string;
  readonly bytes: Uint8Array;
  readonly upload: Upload | null;
  readonly wishes: Wishes;
}

function inboundOf(
  incoming: IncomingRequest,
  { target, bytes, upload, wishes }: Received,
  proxy: Proxy,
): Inbound {
  const headers = incoming.headers.list;
  const seen = peek(headers, target, bytes);
  const isMetered = isMeteredTarget(incoming.method, target);
  const owner = ownerFor(seen, bytes, proxy);
  const id = `tc_${proxy.entropy.uuid().replaceAll("-", "").slice(0, 20)}`;
  const startedAt = proxy.clock.now();
  return {
    id,
    method: incoming.method,
    target,
    headers,
    body: bytes,
    upload,
    peek: seen,
    facts: routeFacts(seen, bytes, {
      summaries: proxy.summaries,
      histories: proxy.histories,
      policy: wishes.policy,
      isMetered,
    }),
    only: wishes.only ?? owner.only,
    owner: owner.only,
    wanted: wishes.only === null ? owner.wanted : null,
    ticket: id as TicketId,
    signal: incoming.signal,
    startedAt,
    startedMs: proxy.clock.monotonicMs(),
    line: {
      id,
      startedAt,
      session: seen.sessionId,
      agent: seen.agentId,
      model: seen.model,
      state: "waiting",
      accountId: null,
      reason: null,
      usage: null,
    },
    speaksLimits: proxy.holds.limits.beyond === "limit" &&
      understandsLimits(headers),
    hold: new Hold(
      proxy.holds,
      mannerOf(isMetered, seen.isStream),
      proxy.clock,
    ),
    attempts: [],
  };
}

/** Only what spends quota waits for it; look-ups are answered at once. */
function mannerOf(isMetered: boolean, isStream: boolean): HoldManner {
  if (!isMetered) return "none";
  return isStream ? "pings" : "silent";
}

/** The answer to a body that was not taken. */
export function refusedBody(
  reading: Exclude<BodyReading, { readonly kind: "body" }>,
): ClientAnswer {
  switch (reading.kind) {
    case "too_large":
      return refusal({
        status: 413,
        type: "request_too_large",
        message: "The request is larger than proxy.bodyBytesMax allows",
        retryAfterSec: null,
      });
    case "too_slow":
      return refusal({
        status: 408,
        type: "timeout_error",
        message: "The request body did not arrive in time",
        retryAfterSec: null,
      });
    case "no_room":
      return refusal({
        status: 503,
        type: "overloaded_error",
        message: "tc holds as many request bodies as it may",
        retryAfterSec: 5,
      });
    case "broken":
      return refusal({
        status: 400,
        type: "invalid_request_error",
        message: "The request body broke off",
        retryAfterSec: null,
      });
  }
}

/** An answer of our own to a request that never came to an account. */
export function refusal(options: ApiErrorOptions): ClientAnswer {
  return { ...apiError(options), refusal: options.message };
}
