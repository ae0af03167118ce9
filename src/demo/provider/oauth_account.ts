/**
 * `GET /api/oauth/profile` and `GET /api/oauth/usage` at the fake provider.
 *
 * @module
 */

import type { WindowKey } from "../../core/quota/quota.ts";
import { type Instant, MINUTE_MS, SECOND_MS } from "../../core/time.ts";
import type { DemoAccount } from "./account.ts";
import { identify } from "./authenticate.ts";
import type { Exchange } from "./exchange.ts";
import { profileOf } from "../identity.ts";
import type { JsonObject } from "../json.ts";
import { refuseAsScripted } from "../quota/judge.ts";
import { REFUSALS } from "./refusal.ts";
import { type TrueWindow, utilization } from "../quota/true_quota.ts";

const PROFILE_SCOPE = "user:profile";
/** As observed when the endpoint refused further questions. */
const USAGE_RETRY_SECONDS = 272;

export async function answerProfile(exchange: Exchange): Promise<Response> {
  const found = await accountWithProfile(exchange);
  if (found instanceof Response) return found;
  return await exchange.sendJson(profileOf(found.identity, found.tier));
}

export async function answerUsage(exchange: Exchange): Promise<Response> {
  const account = await accountWithProfile(exchange);
  if (account instanceof Response) return account;
  const { world } = exchange;
  const scripted = world.script?.usage(account.name) ?? null;
  await exchange.wait(scripted?.delayMs ?? 0);
  if (scripted?.act.kind === "refuse") {
    const asked = { exchange, account, prompt: null };
    return await refuseAsScripted(asked, scripted.act);
  }
  if (isTooOften(exchange, account)) {
    return await exchange.refuse(REFUSALS.rate_limited, [
      ["retry-after", String(USAGE_RETRY_SECONDS)],
    ]);
  }
  const windows = account.quota.windows(world.clock.now());
  return await exchange.sendJson(usageOf(windows, world.settings.usageShape));
}

/** Returns the account if its token may see the profile, else the refusal. */
async function accountWithProfile(
  exchange: Exchange,
): Promise<DemoAccount | Response> {
  const found = identify(exchange);
  if (found.kind === "refused") return await exchange.refuse(found.refusal);
  if (!found.scopes.includes(PROFILE_SCOPE)) {
    return await exchange.refuse(REFUSALS.scope);
  }
  const { refusal } = found.account;
  return refusal === null
    ? found.account
    : await exchange.refuse(REFUSALS[refusal]);
}

/** Applies the endpoint's own limit; a refused call does not count. */
function isTooOften(exchange: Exchange, account: DemoAccount): boolean {
  const { clock, settings, usageCalls } = exchange.world;
  const now = clock.now();
  const recent = (usageCalls.get(account.name) ?? [])
    .filter((at) => at > now - MINUTE_MS);
  const isFull = settings.usagePerMinute !== null &&
    recent.length >= settings.usagePerMinute;
  usageCalls.set(account.name, isFull ? recent : [...recent, now]);
  return isFull;
}

const OLD_KEYS: readonly (readonly [name: string, key: WindowKey | null])[] = [
  ["five_hour", "5h"],
  ["seven_day", "7d"],
  ["seven_day_oauth_apps", null],
  ["seven_day_opus", null],
  ["seven_day_sonnet", null],
];

function usageOf(
  windows: readonly TrueWindow[],
  shape: "both" | "old" | "new",
): JsonObject {
  const old = Object.fromEntries(
    OLD_KEYS.map(([name, key]) => [name, oldWindow(windows, key)]),
  );
  return {
    ...(shape === "new" ? {} : old),
    ...(shape === "old" ? {} : { limits: windows.map(newLimit) }),
    extra_usage: {
      is_enabled: false,
      monthly_limit: null,
      used_credits: null,
      utilization: null,
    },
  };
}

function oldWindow(
  windows: readonly TrueWindow[],
  key: WindowKey | null,
): JsonObject | null {
  const window = windows.find((each) => each.key === key);
  if (window === undefined) return null;
  return { utilization: percent(window), resets_at: iso(window.resetsAt) };
}

function newLimit(window: TrueWindow): JsonObject {
  const used = utilization(window);
  return {
    ...kindOf(window),
    percent: percent(window),
    severity: used >= window.warnsFrom ? "warning" : "normal",
    resets_at: iso(window.resetsAt),
    is_active: used >= 1,
  };
}

function kindOf(window: TrueWindow): JsonObject {
  if (window.family !== null) {
    const name = window.family[0]?.toUpperCase() + window.family.slice(1);
    return {
      kind: "weekly_scoped",
      group: "weekly",
      scope: { model: { id: null, display_name: name }, surface: null },
    };
  }
  return window.key === "5h"
    ? { kind: "session", group: "session", scope: null }
    : { kind: "weekly_all", group: "weekly", scope: null };
}

/** Returns 0 to 100 as a whole number, never rounded up to spent. */
function percent(window: TrueWindow): number {
  return Math.floor(utilization(window) * 100 + 1e-9);
}

/**
 * Returns an instant with microseconds and a numeric offset, as the real API
 * writes it.
 */
function iso(at: Instant | null): string | null {
  if (at === null) return null;
  const seconds = new Date(Math.floor(at / SECOND_MS) * SECOND_MS)
    .toISOString().slice(0, 19);
  return `${seconds}.000000+00:00`;
}
