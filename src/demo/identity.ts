/**
 * Who owns a demo account: a person in an organisation. A person in two
 * organisations has two accounts with one e-mail address.
 *
 * @module
 */

import type { Tier } from "../core/account.ts";
import type { Dice } from "./dice.ts";
import { PLANS } from "./quota/plans.ts";

export interface DemoIdentity {
  readonly accountUuid: string;
  readonly email: string;
  readonly displayName: string;
  readonly organizationUuid: string;
  readonly organizationName: string;
}

/** The fields that may be given; the rest follows from the name. */
export type IdentityWish = Partial<DemoIdentity>;

/**
 * Returns a whole identity for the account `name`; equal e-mails are one
 * person.
 */
export function identityFor(
  name: string,
  wish: IdentityWish,
  dice: Dice,
): DemoIdentity {
  const email = wish.email ?? `${name}@demo.example`;
  const displayName = wish.displayName ?? email.split("@")[0] ?? name;
  return {
    accountUuid: wish.accountUuid ?? dice.fork(`person ${email}`).uuid(),
    email,
    displayName,
    organizationUuid: wish.organizationUuid ??
      dice.fork(`organization ${name}`).uuid(),
    organizationName: wish.organizationName ?? `${email}'s Organization`,
  };
}

/** Returns the answer of `GET /api/oauth/profile`. */
export function profileOf(
  identity: DemoIdentity,
  tier: Tier,
): Readonly<Record<string, unknown>> {
  const plan = PLANS[tier];
  return {
    account: {
      uuid: identity.accountUuid,
      full_name: identity.displayName,
      display_name: identity.displayName,
      email: identity.email,
      has_claude_max: plan.organizationType === "claude_max",
      has_claude_pro: plan.organizationType === "claude_pro",
      created_at: "2025-01-01T00:00:00.000000Z",
    },
    organization: {
      uuid: identity.organizationUuid,
      name: identity.organizationName,
      organization_type: plan.organizationType,
      billing_type: "stripe_subscription",
      rate_limit_tier: plan.rateLimitTier,
      seat_tier: null,
      has_extra_usage_enabled: false,
      subscription_status: "active",
    },
  };
}
