/**
 * The answer of `GET /api/oauth/usage`, in its old and its new shape
 * (teamclaude-family 1.4).
 *
 * @module
 */

import {
  type AccountId,
  type ModelFamily,
  modelFamily,
} from "../../core/account.ts";
import {
  type QuotaObservation,
  type QuotaWindow,
  type WindowKey,
  windowLengthMs,
} from "../../core/quota/quota.ts";
import type { Instant } from "../../core/time.ts";
import { asList, asObject, type JsonObject } from "../request/json.ts";
import {
  boundedReset,
  claimedWindow,
  decimal,
  resetInstant,
} from "./limit_headers.ts";

const PERCENT_KEYS = [
  "percent",
  "utilization",
  "used_percentage",
  "usedPercentage",
];
const RESET_KEYS = ["resets_at", "resetsAt", "reset_at", "resetAt"];

/** An answer has a few windows; a hostile one must not fill the pool's memory. */
const WINDOWS_MAX = 32;
const FAMILY_CHARACTERS_MAX = 64;

/**
 * Returns the quota windows in a usage answer; null if it has none, which means
 * unknown, not unused. Percents become fractions. `limits[]` wins over the named
 * windows. A missing figure or reset is null, and a window past its reset is
 * unused.
 */
export function usageObservation(
  json: unknown,
  accountId: AccountId,
  now: Instant,
): QuotaObservation | null {
  const answer = asObject(json);
  if (answer === null) return null;
  const windows = new Map<WindowKey, QuotaWindow>();
  for (const [name, value] of Object.entries(answer)) {
    const named = claimedWindow(name);
    if (named !== null) put(windows, windowOf(named, asObject(value), now));
  }
  for (const item of asList(answer["limits"])) {
    const limit = asObject(item);
    const scope = limit === null ? null : limitScope(limit);
    if (scope !== null) put(windows, windowOf(scope, limit, now));
  }
  if (windows.size === 0) return null;
  return {
    accountId,
    at: now,
    source: "usage_endpoint",
    windows: [...windows.values()].slice(0, WINDOWS_MAX),
    overage: null,
  };
}

interface Scope {
  readonly key: WindowKey;
  readonly family: ModelFamily | null;
}

/** Returns the window that an item of `limits[]` is about, or null. */
function limitScope(limit: JsonObject): Scope | null {
  switch (limit["kind"]) {
    case "session":
      return { key: "5h", family: null };
    case "weekly_all":
      return { key: "7d", family: null };
    case "weekly_scoped": {
      const model = asObject(asObject(limit["scope"])?.["model"]);
      const name = model?.["display_name"] ?? model?.["id"];
      if (typeof name !== "string" || name === "") return null;
      const family = scopeFamily(name);
      return { key: `7d:${family}`, family };
    }
    default:
      return null;
  }
}

/**
 * Returns the family of a model. A name that tc does not know is its own
 * family, in lower case with hyphens.
 */
function scopeFamily(displayName: string): ModelFamily {
  const word = displayName.toLowerCase().replace(/[^a-z0-9.]+/g, "-");
  return modelFamily(word.slice(0, FAMILY_CHARACTERS_MAX));
}

function windowOf(
  { key, family }: Scope,
  stated: JsonObject | null,
  now: Instant,
): QuotaWindow | null {
  if (stated === null) return null;
  const lengthMs = windowLengthMs(key);
  const utilization = fraction(firstOf(stated, PERCENT_KEYS));
  const resetsAt = boundedReset(
    resetInstant(firstOf(stated, RESET_KEYS)),
    now,
    lengthMs,
  );
  if (utilization === null && resetsAt === null) return null;
  const isOver = resetsAt !== null && resetsAt <= now;
  return {
    key,
    family,
    lengthMs,
    utilization: isOver ? 0 : utilization,
    status: null,
    resetsAt: isOver ? null : resetsAt,
    observedAt: now,
    source: "usage_endpoint",
  };
}

/** Returns a percentage as a fraction; more than 100 % is possible. */
function fraction(value: unknown): number | null {
  const percent = typeof value === "number"
    ? value
    : typeof value === "string"
    ? decimal(value)
    : null;
  if (percent === null || !Number.isFinite(percent) || percent < 0) return null;
  return percent / 100;
}

function firstOf(stated: JsonObject, keys: readonly string[]): unknown {
  const key = keys.find((key) => stated[key] !== undefined);
  return key === undefined ? null : stated[key];
}

function put(
  windows: Map<WindowKey, QuotaWindow>,
  window: QuotaWindow | null,
): void {
  if (window !== null) windows.set(window.key, window);
}
