/**
 * Whether an account's true limits allow one more request, and how the fake
 * provider says no.
 *
 * @module
 */

import { after, MINUTE_MS, SECOND_MS } from "../../core/time.ts";
import type { HeaderList } from "../../ports.ts";
import type { DemoAccount } from "../provider/account.ts";
import type { Exchange } from "../provider/exchange.ts";
import { keyHeaders, type Rejected, unifiedHeaders } from "./limit_headers.ts";
import type { Prompt } from "../answer/prompt.ts";
import { REFUSALS } from "../provider/refusal.ts";
import {
  type ReplyOptions,
  retryAfterOf,
  type ScriptedRefusal,
} from "../script/script.ts";

/** One request of one account. */
export interface Asked {
  readonly exchange: Exchange;
  readonly account: DemoAccount;
  readonly prompt: Prompt;
}

/** The same where the body may be unreadable. */
export interface AskedAnything {
  readonly exchange: Exchange;
  readonly account: DemoAccount;
  readonly prompt: Prompt | null;
}

/** What the limits of a request without a readable model are stated for. */
const FAMILY_UNKNOWN = "sonnet";
const SHOULD_RETRY = ["x-should-retry", "true"] as const;
const SCRIPTED_RESET_MS = 60 * MINUTE_MS;

/** The 429 that the account's true limits ask for, or null. */
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

/** Says what the script says, with the account's true limits where it shows any. */
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

/** The account's rate-limit lines as they truly are now, `rejected` apart. */
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
