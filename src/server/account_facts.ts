/**
 * The stored facts about the accounts, as the control plane and `tc accounts`
 * show them. They hold no secret.
 *
 * @module
 */

import { spendLimitText } from "../core/quota/spending.ts";
import type {
  AccountFactsView,
  AccountsView,
  AccountView,
} from "../control/protocol.ts";
import { timeView } from "../control/status_view.ts";
import type { Instant } from "../core/time.ts";
import type { DeskListing } from "../store/account_desk.ts";
import { type AccountRecord, duplicates } from "../store/accounts.ts";

/** Returns the view. `live` is by account id; null where no server runs. */
export function accountsView(
  listing: DeskListing,
  live: ReadonlyMap<string, AccountView> | null,
  at: Instant,
): AccountsView {
  const twins = twinsOf(listing);
  return {
    schema: "tc.accounts/v1",
    at: timeView(at),
    isLive: live !== null,
    accounts: listing.accounts.map((record) => ({
      ...factsOf(record),
      duplicateOf: twins.get(record.account.id) ?? null,
      live: live?.get(record.account.id) ?? null,
    })),
    unlisted: listing.unlisted.map(({ id, label }) => ({ id, label })),
    orphans: listing.orphans.map(({ name }) => ({ name })),
    damaged: listing.damaged,
  };
}

function factsOf(
  record: AccountRecord,
): Omit<AccountFactsView, "duplicateOf" | "live"> {
  const { account, identity, expiresAt } = record;
  return {
    id: account.id,
    label: account.label,
    kind: account.kind,
    tier: account.tier,
    email: record.email,
    organization: record.organization,
    accountUuid: identity?.accountUuid ?? null,
    organizationUuid: identity?.organizationUuid ?? null,
    enabled: account.enabled,
    priority: account.priority,
    maxInFlight: account.leasesMax,
    capUtilization: account.utilizationMax,
    maxCost: account.costMax ? spendLimitText(account.costMax) : null,
    planPrice: record.planPrice,
    expiresAt: expiresAt === null ? null : timeView(expiresAt),
    isRenewable: account.kind === "subscription",
    needsLogin: record.needsLogin,
    signInEndsAt: account.signInEndsAt === null
      ? null
      : timeView(account.signInEndsAt),
    sharedWith: record.sharedWith,
    upstream: record.upstream,
  };
}

/** Returns, for each account that appears twice, the name of the first one. */
function twinsOf(
  { entries, accounts }: DeskListing,
): ReadonlyMap<string, string> {
  const labels = new Map<string, string>(
    accounts.map(({ account }) => [account.id, account.label]),
  );
  return new Map(
    duplicates(entries).flatMap((group) => {
      const [first, ...others] = group.filter(({ id }) => labels.has(id));
      if (first === undefined) return [];
      const name = labels.get(first.id) ?? first.label;
      return others.map(({ id }) => [id, name] as const);
    }),
  );
}
