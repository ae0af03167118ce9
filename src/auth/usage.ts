/**
 * How much of an account's quota is used: the provider's free usage endpoint.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import type { QuotaObservation } from "../core/quota.ts";
import type { Clock, Secret } from "../ports.ts";
import { usageObservation } from "../wire/usage_answer.ts";
import type { JsonClient, JsonQuestion } from "./json_client.ts";
import { OAUTH_BETA, type OAuthProvider } from "./provider.ts";

export type UsageOutcome =
  | { readonly kind: "known"; readonly observation: QuotaObservation }
  /** 401: the token serves no more. */
  | { readonly kind: "refused" }
  /** Anything else: nothing is known, which is not the same as spent. */
  | { readonly kind: "unavailable"; readonly reason: string };

export function usageQuestion(
  provider: OAuthProvider,
  token: Secret,
): JsonQuestion {
  return {
    url: provider.usageUrl,
    method: "GET",
    bearer: token,
    headers: [["anthropic-beta", OAUTH_BETA]],
    body: null,
  };
}

/** Asks how much of `accountId` is used. Throws only `signal`'s reason. */
export async function fetchUsage(
  question: JsonQuestion,
  accountId: AccountId,
  { client, clock, signal }: {
    readonly client: JsonClient;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<UsageOutcome> {
  const answer = await client.ask(question, signal);
  if (answer.kind === "none") {
    return { kind: "unavailable", reason: "the provider did not answer" };
  }
  if (answer.status === 401) return { kind: "refused" };
  const observation = answer.kind === "json" && answer.status === 200
    ? usageObservation(answer.body, accountId, clock.now())
    : null;
  return observation === null
    ? {
      kind: "unavailable",
      reason: `the provider answered with ${answer.status}`,
    }
    : { kind: "known", observation };
}
