/**
 * One question for an account's usage, as an observation of its quota.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import type { QuotaObservation } from "../core/quota/quota.ts";
import type { Clock, Secret } from "../ports.ts";
import { usageObservation } from "../wire/answer/usage_answer.ts";
import type { JsonClient } from "./json_client.ts";
import type { OAuthProvider } from "./provider.ts";
import { fetchUsage } from "./usage.ts";

export type ObservedUsage =
  | { readonly kind: "known"; readonly observation: QuotaObservation }
  /** 401: the token serves no more. */
  | { readonly kind: "refused" }
  /** Nothing is known, which is not the same as spent. */
  | { readonly kind: "unavailable"; readonly reason: string };

/** Throws only `signal`'s reason. */
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
    case "unavailable":
      return { kind: "unavailable", reason: "the provider did not answer" };
  }
}
