/**
 * Decides whether an account's true limits allow one more request, and writes
 * the rate-limit headers of the answer.
 *
 * @module
 */

import { after, type Instant, MINUTE_MS, SECOND_MS } from "../../core/time.ts";
import type { HeaderList } from "../../ports.ts";
import type { DemoAccount } from "../provider/account.ts";
import type { Exchange } from "../provider/exchange.ts";
import type { Prompt } from "../answer/prompt.ts";
import { REFUSALS } from "../provider/refusal.ts";
import {
  type ReplyOptions,
  retryAfterOf,
  type ScriptedRefusal,
} from "../provider/scripted.ts";
import type { ModelFamily } from "../../core/account.ts";
import type { WindowKey } from "../../core/quota/quota.ts";
import type { KeyQuota } from "./key_quota.ts";
import type { Bucket } from "./rate_gate.ts";
import { type TrueWindow, utilization } from "./true_quota.ts";

/** One request of one account. */
export interface Asked {
  readonly exchange: Exchange;
  readonly account: DemoAccount;
  readonly prompt: Prompt;
}

/** The same, if the body may be unreadable. */
interface AskedAnything {
  readonly exchange: Exchange;
  readonly account: DemoAccount;
  readonly prompt: Prompt | null;
}

/** The family for which limits are stated if the model is unreadable. */
const FAMILY_UNKNOWN = "sonnet";
const SHOULD_RETRY = ["x-should-retry", "true"] as const;
const SCRIPTED_RESET_MS = 60 * MINUTE_MS;

/** Returns the 429 that the account's true limits require, or null. */
export function judge(asked: Asked): Promise<Response> | null {
  const { account, exchange, prompt } = asked;
  const now = exchange.world.clock.now();
  if (account.keyQuota !== null) {
    const retryAt = account.keyQuota.retryAt(now);
    return retryAt === null ? null : refuseRate(asked, retryAt - now);
  }
  const spent = account.quota.spentWindow(prompt.family, now);
  if (spent !== null && spent.resetsAt !== null) {
    return refuseRate(asked, spent.resetsAt - now);
  }
  const { retryAfterMs } = account.gate.check(now);
  return retryAfterMs === null ? null : refuseRate(asked, retryAfterMs);
}

function refuseRate(asked: Asked, waitMs: number): Promise<Response> {
  const seconds = Math.max(1, Math.ceil(waitMs / SECOND_MS));
  return asked.exchange.refuse(REFUSALS.rate_limited, [
    ...limitHeaders(asked, null),
    ["retry-after", String(seconds)],
    SHOULD_RETRY,
  ]);
}

/**
 * Returns the scripted refusal, with the account's true limits if it shows any.
 */
export function refuseAsScripted(
  asked: AskedAnything,
  act: ScriptedRefusal,
): Promise<Response> {
  const { exchange } = asked;
  const { options, refusal } = act;
  const retryAfter = retryAfterOf(options);
  const headers: HeaderList = [
    ...(isLimited(act) ? limitHeaders(asked, rejectedBy(asked, options)) : []),
    ...(options.rejected === undefined ? [] : [SHOULD_RETRY]),
    ...(retryAfter === null ? [] : [["retry-after", retryAfter] as const]),
    ...(options.contentType === undefined
      ? []
      : [["content-type", options.contentType] as const]),
    ...options.headers ?? [],
  ];
  if (options.body === undefined) return exchange.refuse(refusal, headers);
  return exchange.send(refusal.status, options.body, [
    ["content-type", "application/json"],
    ...headers,
  ]);
}

/** Only a 429 states limits, as observed. */
function isLimited(act: ScriptedRefusal): boolean {
  return act.limits === "true" && act.refusal.status === 429;
}

function rejectedBy(
  asked: AskedAnything,
  options: ReplyOptions,
): Rejected | null {
  if (options.rejected === undefined) return null;
  const now = asked.exchange.world.clock.now();
  return {
    key: options.rejected,
    resetsAt: after(now, options.resetsInMs ?? SCRIPTED_RESET_MS),
  };
}

/** Returns the account's true rate-limit lines now, except for `rejected`. */
export function limitHeaders(
  asked: AskedAnything,
  rejected: Rejected | null,
): HeaderList {
  const { account, exchange, prompt } = asked;
  const { clock, settings } = exchange.world;
  const now = clock.now();
  if (account.keyQuota !== null) return keyHeaders(account.keyQuota, now);
  return unifiedHeaders({
    windows: account.quota.windows(now),
    family: prompt?.family ?? FAMILY_UNKNOWN,
    decimals: settings.utilizationDecimals,
    rejected,
  });
}

const UNIFIED = "anthropic-ratelimit-unified";

/** What the headers state. */
interface UnifiedFacts {
  readonly windows: readonly TrueWindow[];
  readonly family: ModelFamily;
  /** Decimals of the utilization; the provider rounds to 2. */
  readonly decimals: number;
  /** The window that a scripted answer claims is spent, whatever the truth. */
  readonly rejected: Rejected | null;
}

/** A window that is called spent, and until when. */
interface Rejected {
  readonly key: WindowKey;
  readonly resetsAt: Instant;
}

interface ShownWindow {
  readonly key: WindowKey;
  readonly claim: string;
  readonly family: ModelFamily | null;
  readonly utilization: number;
  readonly status: "allowed" | "allowed_warning" | "rejected";
  readonly resetsAt: Instant;
  readonly warnsFrom: number;
}

const SEVERITY = { allowed: 0, allowed_warning: 1, rejected: 2 } as const;

/** Returns the `anthropic-ratelimit-unified-*` lines of a subscription. */
export function unifiedHeaders(facts: UnifiedFacts): HeaderList {
  const shown = facts.windows.flatMap((window) => showWindow(window, facts));
  const ruling = representative(shown);
  if (ruling === null) return [];
  return [
    ...shown.flatMap((window) => windowLines(window, facts.decimals)),
    [`${UNIFIED}-fallback-percentage`, "0.5"],
    [`${UNIFIED}-overage-disabled-reason`, "org_level_disabled"],
    [`${UNIFIED}-overage-status`, "rejected"],
    [`${UNIFIED}-representative-claim`, ruling.claim],
    [`${UNIFIED}-reset`, epochSeconds(ruling.resetsAt)],
    [`${UNIFIED}-status`, ruling.status],
  ];
}

/** A window of another family does not concern this request. */
function showWindow(
  window: TrueWindow,
  facts: UnifiedFacts,
): readonly ShownWindow[] {
  const { rejected } = facts;
  const isClaimed = rejected !== null && rejected.key === window.key;
  if (
    window.family !== null && window.family !== facts.family && !isClaimed
  ) return [];
  const resetsAt = isClaimed ? rejected.resetsAt : window.resetsAt;
  if (resetsAt === null) return [];
  const used = isClaimed
    ? Math.max(1, utilization(window))
    : utilization(window);
  return [{
    key: window.key,
    claim: window.claim,
    family: window.family,
    utilization: used,
    status: statusOf(used, window.warnsFrom),
    resetsAt,
    warnsFrom: window.warnsFrom,
  }];
}

function statusOf(used: number, warnsFrom: number): ShownWindow["status"] {
  if (used >= 1) return "rejected";
  return used >= warnsFrom ? "allowed_warning" : "allowed";
}

/**
 * Returns the worst window; of equal ones the latest to reset if spent, else
 * the first.
 */
function representative(shown: readonly ShownWindow[]): ShownWindow | null {
  let ruling: ShownWindow | null = null;
  for (const window of shown) {
    if (ruling === null || outranks(window, ruling)) ruling = window;
  }
  return ruling;
}

function outranks(window: ShownWindow, ruling: ShownWindow): boolean {
  const worse = SEVERITY[window.status] - SEVERITY[ruling.status];
  if (worse !== 0) return worse > 0;
  return window.status === "rejected" && window.resetsAt > ruling.resetsAt;
}

function windowLines(window: ShownWindow, decimals: number): HeaderList {
  const name = `${UNIFIED}-${window.key}`;
  const warning: HeaderList = window.status === "allowed" ? [] : [[
    `${name}-surpassed-threshold`,
    decimalText(window.status === "rejected" ? 1 : window.warnsFrom, decimals),
  ]];
  return [
    [`${name}-reset`, epochSeconds(window.resetsAt)],
    [`${name}-status`, window.status],
    ...warning,
    [`${name}-utilization`, decimalText(window.utilization, decimals)],
  ];
}

/**
 * Returns a fraction in the provider's format: `0.0`, `0.42`, `1.02`; never
 * rounded up to spent.
 */
export function decimalText(value: number, decimals: number): string {
  const factor = 10 ** decimals;
  const floored = Math.floor(value * factor + 1e-9) / factor;
  return Number.isInteger(floored) ? floored.toFixed(1) : String(floored);
}

function epochSeconds(at: Instant): string {
  return String(Math.ceil(at / SECOND_MS));
}

/** Returns the per-minute lines of an API key. */
export function keyHeaders(quota: KeyQuota, now: Instant): HeaderList {
  return [
    ...bucketLines("requests", quota.requests, now),
    ...bucketLines("input-tokens", quota.input, now),
    ...bucketLines("output-tokens", quota.output, now),
    ...totalLines(quota, now),
  ];
}

function bucketLines(kind: string, bucket: Bucket, now: Instant): HeaderList {
  const name = `anthropic-ratelimit-${kind}`;
  return [
    [`${name}-limit`, String(bucket.limit)],
    [`${name}-remaining`, String(bucket.remaining(now))],
    [`${name}-reset`, rfc3339(bucket.fullAt(now))],
  ];
}

/** `tokens-*` states the most restrictive of the token limits. */
function totalLines(quota: KeyQuota, now: Instant): HeaderList {
  const { input, output } = quota;
  const isInput = input.remaining(now) / input.limit <=
    output.remaining(now) / output.limit;
  return bucketLines("tokens", isInput ? input : output, now);
}

function rfc3339(at: Instant): string {
  return new Date(Math.ceil(at / SECOND_MS) * SECOND_MS).toISOString()
    .replace(".000Z", "Z");
}
