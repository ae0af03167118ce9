/**
 * How much of an account's quota is used, by the provider's usage endpoint.
 * Asking costs nothing and has its own rate limit (teamclaude-family 1.4).
 *
 * @module
 */

import { HOUR_MS, SECOND_MS } from "../core/time.ts";
import type { Clock, Secret } from "../ports.ts";
import { headerOf, type JsonClient } from "./json_client.ts";
import { OAUTH_BETA, type OAuthProvider } from "./provider.ts";
import type { AccountId } from "../core/account.ts";
import type { QuotaObservation } from "../core/quota/quota.ts";
import { usageObservation } from "../wire/answer/usage_answer.ts";

export type UsageOutcome =
  | { readonly kind: "known"; readonly body: unknown }
  /** The endpoint asks for a pause; that says nothing about the quota. */
  | { readonly kind: "throttled"; readonly retryAfterMs: number | null }
  /** 401, or 403 for a token without the scope `user:profile`. */
  | { readonly kind: "refused"; readonly status: 401 | 403 }
  /** `status` is null without an answer. */
  | { readonly kind: "unavailable"; readonly status: number | null };

const RETRY_AFTER_MAX_MS = 6 * HOUR_MS;

/** Asks once for the account of `token`. Throws only `signal`'s reason. */
export async function fetchUsage(
  token: Secret,
  { client, provider }: {
    readonly client: JsonClient;
    readonly provider: OAuthProvider;
  },
  signal: AbortSignal,
): Promise<UsageOutcome> {
  const answer = await client.ask({
    url: provider.usageUrl,
    method: "GET",
    bearer: token,
    headers: [["anthropic-beta", OAUTH_BETA]],
    body: null,
  }, signal);
  if (answer.kind === "none") return { kind: "unavailable", status: null };
  const { status } = answer;
  if (status === 401 || status === 403) return { kind: "refused", status };
  if (status === 429) {
    const text = headerOf(answer.headers, "retry-after") ?? "";
    const waitMs = /^\d{1,9}$/.test(text) ? Number(text) * SECOND_MS : null;
    return {
      kind: "throttled",
      retryAfterMs: waitMs === null
        ? null
        : Math.min(waitMs, RETRY_AFTER_MAX_MS),
    };
  }
  return answer.kind === "json" && status === 200
    ? { kind: "known", body: answer.body }
    : { kind: "unavailable", status };
}

export type ObservedUsage =
  | { readonly kind: "known"; readonly observation: QuotaObservation }
  /** 401: the token no longer serves. */
  | { readonly kind: "refused" }
  /** Nothing is known, which is not the same as spent. */
  | { readonly kind: "unavailable"; readonly reason: string };

/**
 * Asks once, and returns the answer as an observation of the account's quota.
 * Throws only `signal`'s reason.
 */
export async function observeUsage(
  { id, token }: { readonly id: AccountId; readonly token: Secret },
  ports: {
    readonly client: JsonClient;
    readonly provider: OAuthProvider;
    readonly clock: Clock;
  },
  signal: AbortSignal,
): Promise<ObservedUsage> {
  const outcome = await fetchUsage(token, ports, signal);
  switch (outcome.kind) {
    case "known": {
      const now = ports.clock.now();
      const observation = usageObservation(outcome.body, id, now);
      return observation === null
        ? { kind: "unavailable", reason: "the answer tells nothing" }
        : { kind: "known", observation };
    }
    case "refused":
      return outcome.status === 401 ? { kind: "refused" } : {
        kind: "unavailable",
        reason: "the token may not ask",
      };
    case "throttled":
      return { kind: "unavailable", reason: "the provider asks for a pause" };
    case "unavailable": {
      const { status } = outcome;
      const answer = status === null ? "did not answer" : `answered ${status}`;
      return { kind: "unavailable", reason: `the provider ${answer}` };
    }
  }
}
