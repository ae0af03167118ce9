/**
 * The verdict of the pool for people: whether a new conversation would be served
 * at once by what is already paid for, and what limits it.
 *
 * @module
 */

import type { AccountId } from "../account.ts";
import { ANY_REQUEST } from "./capacity.ts";
import { used } from "./limits.ts";
import { endsAt, type QuotaWindow } from "./quota.ts";
import { route } from "../route/route.ts";
import { survey, type View } from "../route/scene.ts";
import type { PoolSnapshot } from "../pool/state.ts";
import type { Instant } from "../time.ts";

/** Why the pool is green, yellow or red. */
export type Outlook =
  /** Green: a plan has room. */
  | { readonly kind: "open" }
  /** Yellow: every plan that serves is nearly full; this one would serve. */
  | {
    readonly kind: "nearly_full";
    readonly accountId: AccountId;
    readonly window: string;
    /** When the window refills. */
    readonly until: Instant | null;
  }
  /** Yellow: no plan serves, and new work is paid for; until a plan returns. */
  | { readonly kind: "paid"; readonly until: Instant | null }
  /** Yellow: every account has as many requests as it takes. */
  | { readonly kind: "busy" }
  /** Red: nothing serves until then; null if time alone does not help. */
  | { readonly kind: "closed"; readonly until: Instant | null }
  /** Red: there is no account. */
  | { readonly kind: "empty" };

/** From this part on a window counts as nearly full. */
export const NEARLY_FULL = 0.9;

/** Returns the outlook for a new conversation now. */
export function outlook(snapshot: PoolSnapshot): Outlook {
  const scene = survey(snapshot, ANY_REQUEST);
  const { views, soonest } = scene;
  if (views.every(({ state }) => !state.account.enabled)) {
    return { kind: "empty" };
  }
  const decision = route(snapshot, ANY_REQUEST);
  if (decision.kind === "refuse") return { kind: "closed", until: null };
  if (decision.kind === "wait") {
    return decision.reason === "closed"
      ? { kind: "closed", until: decision.backAt ?? decision.until }
      : { kind: "busy" };
  }
  if (decision.reason === "probe") return { kind: "closed", until: soonest };
  const chosen = views.find(({ id }) => id === decision.accountId);
  if (chosen === undefined) return { kind: "closed", until: null };
  if (chosen.rank > 0) {
    const hasPlans = views.some(({ state: { account } }) =>
      account.enabled && account.kind !== "api_key" &&
      account.kind !== "backend"
    );
    return hasPlans ? { kind: "paid", until: soonest } : { kind: "open" };
  }
  const hasRoom = views.some((view) =>
    view.rank === 0 && view.bar === null && fullness(view) < NEARLY_FULL
  );
  return hasRoom ? { kind: "open" } : nearlyFull(chosen);
}

function fullness({ fiveHourUsed, weekUsed }: View): number {
  return Math.max(fiveHourUsed, weekUsed);
}

function nearlyFull({ id, fiveHour, week }: View): Outlook {
  const window: QuotaWindow | null = used(fiveHour) >= used(week)
    ? fiveHour
    : week;
  return {
    kind: "nearly_full",
    accountId: id,
    window: window?.key ?? "5h",
    until: window === null ? null : endsAt(window),
  };
}

/** Returns the colour of an outlook. */
export function colorOf({ kind }: Outlook): "green" | "yellow" | "red" {
  switch (kind) {
    case "open":
      return "green";
    case "nearly_full":
    case "paid":
    case "busy":
      return "yellow";
    case "closed":
    case "empty":
      return "red";
  }
}
