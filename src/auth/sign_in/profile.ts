/**
 * Whose account a token is, by the provider's profile endpoint.
 *
 * @module
 */

import * as v from "valibot";
import type { Tier } from "../../core/account.ts";
import type { AccountIdentity, Secret } from "../../ports.ts";
import { tierOf } from "../../wire/claude_credential.ts";
import type { JsonClient, JsonQuestion } from "../json_client.ts";
import { OAUTH_BETA, type OAuthProvider } from "../provider.ts";

export interface AccountProfile {
  readonly identity: AccountIdentity;
  readonly email: string | null;
  readonly organization: string | null;
  readonly tier: Tier;
}

export type ProfileOutcome =
  | { readonly kind: "known"; readonly profile: AccountProfile }
  /** 401, or 403 for a token without the scope `user:profile`. */
  | { readonly kind: "refused"; readonly status: number }
  | { readonly kind: "unavailable" };

const text = v.pipe(v.string(), v.minLength(1));
const optionalText = v.fallback(v.nullish(v.string()), null);

const answer = v.looseObject({
  account: v.looseObject({
    uuid: text,
    email: optionalText,
    email_address: optionalText,
    has_claude_max: v.fallback(v.nullish(v.boolean()), null),
    has_claude_pro: v.fallback(v.nullish(v.boolean()), null),
  }),
  organization: v.looseObject({
    uuid: text,
    name: optionalText,
    organization_type: optionalText,
    rate_limit_tier: optionalText,
  }),
});

export function profileQuestion(
  provider: OAuthProvider,
  token: Secret,
): JsonQuestion {
  return {
    url: provider.profileUrl,
    method: "GET",
    bearer: token,
    headers: [["anthropic-beta", OAUTH_BETA]],
    body: null,
  };
}

/**
 * Returns the profile in `body`, or null: an identity is complete or unknown.
 */
function readProfile(body: unknown): AccountProfile | null {
  const result = v.safeParse(answer, body);
  if (!result.success) return null;
  const { account, organization } = result.output;
  const plan = organization.organization_type ??
    (account.has_claude_pro === true ? "claude_pro" : null);
  return {
    identity: {
      accountUuid: account.uuid,
      organizationUuid: organization.uuid,
    },
    email: account.email ?? account.email_address ?? null,
    organization: organization.name ?? null,
    tier: tierOf(organization.rate_limit_tier ?? null, plan),
  };
}

/** Asks whose `token` is. Throws only `signal`'s reason. */
export async function fetchProfile(
  client: JsonClient,
  question: JsonQuestion,
  signal: AbortSignal,
): Promise<ProfileOutcome> {
  const answer = await client.ask(question, signal);
  if (answer.kind === "none") return { kind: "unavailable" };
  const { status } = answer;
  if (status === 401 || status === 403) return { kind: "refused", status };
  const profile = answer.kind === "json" && status === 200
    ? readProfile(answer.body)
    : null;
  return profile === null
    ? { kind: "unavailable" }
    : { kind: "known", profile };
}
