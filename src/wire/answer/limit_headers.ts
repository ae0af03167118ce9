/**
 * Wire room: the `anthropic-ratelimit-…` lines of an answer, window by window,
 * as they stand. What follows from them is in `ratelimit.ts` and
 * `response_facts.ts`.
 *
 * @module
 */

import { type ModelFamily, modelFamily } from "../../core/account.ts";
import {
  type WindowKey,
  windowLengthMs,
  type WindowStatus,
} from "../../core/quota/quota.ts";
import {
  after,
  DAY_MS,
  HOUR_MS,
  type Instant,
  instantFromMs,
  MINUTE_MS,
} from "../../core/time.ts";
import type { HeaderList } from "../../ports.ts";
import { headerValue } from "../header_list.ts";
import { decimal, resetInstant } from "./retry_after.ts";

export const LIMIT_PREFIX = "anthropic-ratelimit-";
export const UNIFIED_PREFIX = `${LIMIT_PREFIX}unified-`;

/** One window as the headers state it; its reset may have passed. */
export interface LimitReading {
  readonly key: WindowKey;
  /** `plan` windows are spent for hours or days, `rate` ones refill each minute. */
  readonly axis: "plan" | "rate";
  readonly family: ModelFamily | null;
  readonly lengthMs: number;
  readonly utilization: number | null;
  readonly status: WindowStatus;
  readonly resetsAt: Instant | null;
}

const UNIFIED =
  /^anthropic-ratelimit-unified-([a-z0-9][a-z0-9_]*)-(utilization|reset|status)$/;
const RATE =
  /^anthropic-ratelimit-(tokens|requests|input-tokens|output-tokens)-(limit|remaining|reset)$/;

/** Axes of the bill and of the client's courtesy, not windows of a plan. */
const NO_WINDOWS: ReadonlySet<string> = new Set([
  "overage",
  "fallback",
  "grace",
  "slow",
]);

/** A hostile answer must not fill the pool's memory with windows. */
const WINDOWS_MAX = 32;

/** A clock may differ from the provider's by this much. */
const SKEW_MS = HOUR_MS;

/** For windows whose name does not tell their length. */
const UNTOLD_LENGTH_MS_MAX = 31 * DAY_MS;

/** Suffix of the premium week, "overage included": the bucket of Fable. */
const PREMIUM_SUFFIX = "oi";

/**
 * All windows that `headers` speak of, plan windows first. Where a line comes
 * twice the last counts. `surpassed-threshold` lines repeat a coarser
 * utilization and are left aside.
 */
export function limitReadings(
  headers: HeaderList,
  now: Instant,
): readonly LimitReading[] {
  const lines = headers.filter(([name]) => isLimitName(name));
  const unified = fieldsByWindow(lines, UNIFIED);
  const rate = fieldsByWindow(lines, RATE);
  const readings: LimitReading[] = [];
  for (const [key, fields] of unified) {
    if (isWindowName(key)) readings.push(planReading(key, fields, now));
  }
  for (const [key, fields] of rate) {
    readings.push(rateReading(key, fields, now));
  }
  return readings.slice(0, WINDOWS_MAX);
}

/** Whether any rate-limit line is there, of whatever axis. */
export function hasLimitHeader(headers: HeaderList): boolean {
  return headers.some(([name]) => isLimitName(name));
}

function isLimitName(name: string): boolean {
  return name.length > LIMIT_PREFIX.length &&
    name.slice(0, LIMIT_PREFIX.length).toLowerCase() === LIMIT_PREFIX;
}

/** The value of `anthropic-ratelimit-unified-<field>`, or null. */
export function unifiedField(
  headers: HeaderList,
  field: string,
): string | null {
  return headerValue(headers, UNIFIED_PREFIX + field)?.trim() ?? null;
}

/** A status word; one that we do not know says nothing, least of all "allowed". */
export function windowStatus(text: string | null): WindowStatus {
  switch (text?.trim()) {
    case "allowed":
      return "allowed";
    case "allowed_warning":
      return "allowed_warning";
    case "rejected":
      return "rejected";
    default:
      return null;
  }
}

/**
 * The reading of the window that `representative-claim` names, without
 * figures; null for `overage`, which is no window, and for unknown claims.
 */
export function claimedWindow(
  claim: string | null,
): { readonly key: WindowKey; readonly family: ModelFamily | null } | null {
  const match = /^(five_hour|seven_day)(?:_([a-z0-9_]+))?$/.exec(claim ?? "");
  if (match === null) return null;
  const length = match[1] === "five_hour" ? "5h" : "7d";
  const scope = match[2];
  if (scope === undefined) return { key: length, family: null };
  if (scope === "overage_included") {
    return { key: `${length}_${PREMIUM_SUFFIX}`, family: PREMIUM_FAMILY };
  }
  const family = modelFamily(scope);
  return { key: `${length}:${family}`, family };
}

const PREMIUM_FAMILY: ModelFamily = "fable";

/**
 * The family that a window limits, by what follows the first `_` of its name.
 * A suffix that is no model's limits nothing that is routed here: it must not
 * close a whole account.
 */
function familyOf(key: WindowKey): ModelFamily | null {
  const suffix = /_(.+)$/.exec(key)?.[1];
  if (suffix === undefined) return null;
  return suffix === PREMIUM_SUFFIX ? PREMIUM_FAMILY : modelFamily(suffix);
}

/** Names that every object has would be found where no window is. */
function isWindowName(key: string): boolean {
  return !NO_WINDOWS.has(key) && !(key in Object.prototype);
}

type Fields = ReadonlyMap<string, string>;

function fieldsByWindow(
  headers: HeaderList,
  pattern: RegExp,
): ReadonlyMap<WindowKey, Fields> {
  const windows = new Map<WindowKey, Map<string, string>>();
  for (const [name, value] of headers) {
    const match = pattern.exec(name.toLowerCase());
    if (match?.[1] === undefined || match[2] === undefined) continue;
    const fields = windows.get(match[1]) ?? new Map<string, string>();
    fields.set(match[2], value);
    windows.set(match[1], fields);
  }
  return windows;
}

function planReading(
  key: WindowKey,
  fields: Fields,
  now: Instant,
): LimitReading {
  const lengthMs = windowLengthMs(key);
  return {
    key,
    axis: "plan",
    family: familyOf(key),
    lengthMs,
    utilization: decimal(fields.get("utilization") ?? null),
    status: windowStatus(fields.get("status") ?? null),
    resetsAt: boundedReset(
      resetInstant(fields.get("reset")),
      now,
      /^\d+[mhd]/.test(key) ? lengthMs : UNTOLD_LENGTH_MS_MAX,
    ),
  };
}

/** An API key's window: a bucket that refills within about a minute. */
function rateReading(
  key: WindowKey,
  fields: Fields,
  now: Instant,
): LimitReading {
  const limit = decimal(fields.get("limit") ?? null);
  const remaining = decimal(fields.get("remaining") ?? null);
  const utilization = limit === null || limit === 0 || remaining === null
    ? null
    : Math.max(0, 1 - remaining / limit);
  return {
    key,
    axis: "rate",
    family: null,
    lengthMs: MINUTE_MS,
    utilization,
    status: null,
    resetsAt: boundedReset(
      resetInstant(fields.get("reset")),
      now,
      UNTOLD_LENGTH_MS_MAX,
    ),
  };
}

/** No window ends later than its length from now, clocks that differ apart. */
export function boundedReset(
  resetsAt: Instant | null,
  now: Instant,
  lengthMs: number,
): Instant | null {
  if (resetsAt === null) return null;
  return instantFromMs(Math.min(resetsAt, after(now, lengthMs + SKEW_MS)));
}
