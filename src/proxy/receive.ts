/**
 * Reads an admitted request: its body, what a launch asks for in headers of
 * ours, and what routing needs to know about it.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import { ownerOf } from "../core/pool/owned_ids.ts";
import { POLICY_NAMES, type PolicyName } from "../core/settings.ts";
import type { HeaderLookup, IncomingRequest } from "../http/request.ts";
import type { ClientAnswer } from "../http/response.ts";
import { refusal } from "../wire/answer/api_error.ts";
import { understandsLimits } from "../wire/answer/limit_answer.ts";
import { idsInBody, idsInPath } from "../wire/request/owned_ids.ts";
import { peek, type RequestPeek } from "../wire/request/request_peek.ts";
import { isMeteredTarget } from "../wire/request/target.ts";
import { bodyRefusal, readBody, type Upload, uploadOf } from "./body.ts";
import { routeFacts } from "./conversation.ts";
import type { Inbound, Proxy } from "./proxy.ts";
import type { RequestScope } from "./request_scope.ts";

/** Names the only account that may serve a request: `tc run --account`. */
const ACCOUNT_HEADER = "x-tc-account";

/** Names the repository of the request: `tc run`, or a client itself. */
const PROJECT_HEADER = "x-tc-project";

/** Names the policy that routes a request: `tc run --policy`. */
const POLICY_HEADER = "x-tc-policy";

/**
 * How long the first request of a session waits until its project is found, if
 * the user has rules by project; the others wait for nothing.
 */
const FIND_MS_MAX = 500;

const NO_BYTES = new Uint8Array(0);

/**
 * Reads the request and begins it in `scope`. Returns null, or the answer that
 * refuses it.
 */
export async function receive(
  incoming: IncomingRequest,
  target: string,
  scope: RequestScope,
): Promise<ClientAnswer | null> {
  const { proxy, share } = scope;
  const upload = uploadOf(incoming, target, proxy.budget);
  let bytes: Uint8Array = NO_BYTES;
  if (upload === null) {
    const reading = await readBody(incoming.body, share, proxy.budget);
    if (reading.kind !== "body") return bodyRefusal(reading);
    bytes = reading.bytes;
  }
  const wishes = wishesOf(incoming.headers, proxy);
  if (wishes.kind === "unknown") {
    const type = "invalid_request_error";
    return refusal({ status: 400, type, message: wishes.message });
  }
  const body = { bytes, upload };
  const inbound = inboundOf(incoming, { target, body, wishes }, proxy);
  scope.begin(await withProject(inbound, proxy));
  return null;
}

/**
 * Returns the request with its project, if that is known. A session that is
 * not known yet is looked for; only a rule by project is worth a wait.
 */
async function withProject(inbound: Inbound, proxy: Proxy): Promise<Inbound> {
  const { projects, pool, clock } = proxy;
  const { sessionId } = inbound.peek;
  if ((inbound.facts.project ?? null) !== null || sessionId === null) {
    return inbound;
  }
  const finding = projects.find(sessionId);
  if (pool.snapshot().routes.length === 0) return inbound;
  const late = clock.sleep(FIND_MS_MAX).then(() => null);
  const project = await Promise.race([finding, late]);
  return project === null
    ? inbound
    : { ...inbound, facts: { ...inbound.facts, project } };
}

/** What a launch asks for, in headers that are not sent on. */
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
    const names = POLICY_NAMES.join(", ");
    const message = `tc has no policy named ${name}: there are ${names}`;
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
  readonly body: {
    readonly bytes: Uint8Array;
    readonly upload: Upload | null;
  };
  readonly wishes: Wishes;
}

function inboundOf(
  { method, headers, signal }: IncomingRequest,
  { target, body: { bytes, upload }, wishes }: Received,
  proxy: Proxy,
): Inbound {
  const { clock, entropy, summaries, histories, holds, prices, projects } =
    proxy;
  const seen = peek(headers.list, target, bytes);
  const owner = ownerFor(seen, bytes, proxy);
  const facts = routeFacts(seen, bytes, {
    summaries,
    histories,
    policy: wishes.policy,
    isMetered: isMeteredTarget(method, target),
  });
  return {
    id: `tc_${entropy.uuid().replaceAll("-", "").slice(0, 20)}`,
    method,
    target,
    headers: headers.list,
    body: bytes,
    upload,
    peek: seen,
    facts: {
      ...facts,
      project: projects.of(headers.get(PROJECT_HEADER), seen.sessionId),
      costNanoMax: !facts.isMetered ? 0 : prices.costMax({
        model: seen.model,
        promptTokens: facts.contextTokens,
        outputTokensMax: seen.maxTokens,
        cacheTtlMs: facts.cacheTtlMs,
        terms: seen.terms,
      }),
    },
    only: wishes.only ?? owner.only,
    owner: owner.only,
    wanted: wishes.only === null ? owner.wanted : null,
    signal,
    startedAt: clock.now(),
    startedMs: clock.monotonicMs(),
    speaksLimits: holds.limits.beyond === "limit" &&
      understandsLimits(headers.list),
  };
}

/** The account that a request must go to because of the ids in it. */
interface Owner {
  /** The account that has them, or null. */
  readonly only: AccountId | null;
  /** The id in the path that must be searched for, or null. */
  readonly wanted: string | null;
}

const NO_OWNER: Owner = { only: null, wanted: null };

/** Returns who owns the file, batch, container or thread that is named. */
function ownerFor(
  { path, previousMessageId }: RequestPeek,
  body: Uint8Array,
  { pool }: Proxy,
): Owner {
  const { owned, at } = pool.snapshot();
  const [named] = idsInPath(path);
  if (named !== undefined) {
    const owner = ownerOf(owned, named, at);
    if (owner === null) return { only: null, wanted: named };
    return owner === "nobody" ? NO_OWNER : { only: owner, wanted: null };
  }
  // Searching a long body costs time and is useless while no id is known.
  if (owned.size === 0 || body.length === 0) return NO_OWNER;
  const ids = previousMessageId === null
    ? idsInBody(body)
    : [previousMessageId, ...idsInBody(body)];
  for (const id of ids) {
    const owner = ownerOf(owned, id, at);
    if (owner !== null && owner !== "nobody") {
      return { only: owner, wanted: null };
    }
  }
  return NO_OWNER;
}
