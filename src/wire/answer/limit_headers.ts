/**
 * The `anthropic-ratelimit-…` lines of an answer, window by window as stated,
 * and instants as headers and JSON write them. Pure parsing without a verdict:
 * what cannot be read is null, never a guess.
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
  SECOND_MS,
} from "../../core/time.ts";
import type { HeaderList } from "../../ports.ts";
import { headerValue } from "../header_list.ts";

const DECIMAL = /^\d+(\.\d+)?$/;
const RFC_3339 =
  /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

const MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec";
const MONTH = `(${MONTHS.match(/.{3}/g)?.join("|")})`;
const CLOCK = "(\\d\\d):(\\d\\d):(\\d\\d)";
/** `Sun, 06 Nov 1994 08:49:37 GMT` */
const IMF_FIXDATE = new RegExp(
  `^[A-Z][a-z]{2}, (\\d\\d) ${MONTH} (\\d{4}) ${CLOCK} GMT$`,
);
/** `Sunday, 06-Nov-94 08:49:37 GMT` */
const RFC_850 = new RegExp(
  `^[A-Z][a-z]{5,8}, (\\d\\d)-${MONTH}-(\\d\\d) ${CLOCK} GMT$`,
);
/** `Sun Nov  6 08:49:37 1994` */
const ASCTIME = new RegExp(
  `^[A-Z][a-z]{2} ${MONTH} ([ \\d]\\d) ${CLOCK} (\\d{4})$`,
);

/** Epoch values from here on are milliseconds: as seconds it is the year 33658. */
const EPOCH_MS_MIN = 1e12;

/**
 * Returns when `retry-after` allows the next try, at most `maxMs` from `now`.
 * Both forms of RFC 9110 section 10.2.3 are read, and seconds with a fraction.
 * A date that has passed means `now`. Null if absent or unparseable.
 */
export function retryAt(
  value: string | null,
  now: Instant,
  maxMs: number,
): Instant | null {
  if (value === null) return null;
  const text = value.trim();
  const waitMs = DECIMAL.test(text)
    ? Number(text) * SECOND_MS
    : (httpDateMs(text) ?? NaN) - now;
  if (Number.isNaN(waitMs)) return null;
  return instantFromMs(now + Math.ceil(Math.min(Math.max(waitMs, 0), maxMs)));
}

/** Returns a plain decimal number without sign or exponent, else null. */
export function decimal(text: string | null): number | null {
  if (text === null || !DECIMAL.test(text.trim())) return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

/**
 * Returns the instant of a reset: epoch seconds, epoch milliseconds or RFC 3339,
 * rounded to the second, since the same reset comes with another fraction each
 * time. Null if `value` is none of these, or 0.
 */
export function resetInstant(value: unknown): Instant | null {
  const ms = typeof value === "number"
    ? epochMs(value)
    : typeof value === "string"
    ? epochMs(decimal(value)) ?? rfc3339Ms(value.trim())
    : null;
  if (ms === null) return null;
  return instantFromMs(Math.round(ms / SECOND_MS) * SECOND_MS);
}

function epochMs(value: number | null): number | null {
  if (value === null || !Number.isFinite(value) || value <= 0) return null;
  return value >= EPOCH_MS_MIN ? value : value * SECOND_MS;
}

function rfc3339Ms(text: string): number | null {
  if (!RFC_3339.test(text)) return null;
  const ms = Date.parse(text.replace(" ", "T").toUpperCase());
  return Number.isNaN(ms) ? null : ms;
}

/** Parses the three forms of RFC 9110 section 5.6.7; Date.parse would accept "-5". */
function httpDateMs(text: string): number | null {
  const fixed = IMF_FIXDATE.exec(text);
  if (fixed !== null) {
    const [, day, month, year, ...clock] = fixed;
    return utcMs([year, month, day, ...clock]);
  }
  const old = RFC_850.exec(text);
  if (old !== null) {
    const [, day, month, year, ...clock] = old;
    return utcMs([`20${year}`, month, day, ...clock]);
  }
  const c = ASCTIME.exec(text);
  if (c === null) return null;
  const [, month, day, hour, minute, second, year] = c;
  return utcMs([year, month, day, hour, minute, second]);
}

function utcMs(parts: readonly (string | undefined)[]): number | null {
  const [year, month, day, hour, minute, second] = parts;
  const monthIndex = MONTHS.indexOf(month ?? "?") / 3;
  const ms = Date.UTC(
    Number(year),
    monthIndex,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  const isReal = Number(day) >= 1 && Number(day) <= 31 && Number(hour) < 24 &&
    Number(minute) < 60 && Number(second) <= 60;
  return Number.isNaN(ms) || !isReal ? null : ms;
}

const LIMIT_PREFIX = "anthropic-ratelimit-";
export const UNIFIED_PREFIX = `${LIMIT_PREFIX}unified-`;

/** One window as the headers state it; its reset may have passed. */
export interface LimitReading {
  readonly key: WindowKey;
  /** `plan` windows last hours or days, `rate` windows refill each minute. */
  readonly axis: "plan" | "rate";
  readonly family: ModelFamily | null;
  readonly lengthMs: number;
  readonly utilization: number | null;
  readonly status: WindowStatus;
  readonly resetsAt: Instant | null;
}

/** The key of a plan window in a header's name. */
const PLAN_KEY = /^[a-z0-9][a-z0-9_]*$/;
const PLAN_FIELDS = ["utilization", "reset", "status"] as const;
const RATE_KEYS = ["tokens", "requests", "input-tokens", "output-tokens"];
const RATE_FIELDS = ["limit", "remaining", "reset"] as const;

/** Names that are about billing or client behaviour, not windows of a plan. */
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

/** For windows whose name does not give their length. */
const UNKNOWN_LENGTH_MS_MAX = 31 * DAY_MS;

/** Suffix of the premium week ("overage included"), which Fable uses. */
const PREMIUM_SUFFIX = "oi";

/** What the lines of one window state, as text. */
interface WindowLines {
  readonly key: WindowKey;
  readonly axis: LimitReading["axis"];
  utilization: string | null;
  status: string | null;
  reset: string | null;
  limit: string | null;
  remaining: string | null;
}

type LineField = Exclude<keyof WindowLines, "key" | "axis">;

/** What a line states by its name. */
interface LineName extends Pick<WindowLines, "key" | "axis"> {
  readonly field: LineField;
}

/** Reads the name of a rate-limit line; null if it states no window. */
function readName(name: string): LineName | null {
  const lower = name.toLowerCase();
  const isUnified = lower.startsWith(UNIFIED_PREFIX);
  const prefix = isUnified ? UNIFIED_PREFIX : LIMIT_PREFIX;
  const fieldAt = lower.lastIndexOf("-");
  if (fieldAt <= prefix.length) return null;
  const key = lower.slice(prefix.length, fieldAt);
  const field = lower.slice(fieldAt + 1);
  if (isUnified) {
    const isPlan = isOneOf(PLAN_FIELDS, field) && PLAN_KEY.test(key);
    return isPlan ? { axis: "plan", key, field } : null;
  }
  const isRate = isOneOf(RATE_FIELDS, field) && RATE_KEYS.includes(key);
  return isRate ? { axis: "rate", key, field } : null;
}

function isOneOf<Name extends string>(
  names: readonly Name[],
  name: string,
): name is Name {
  return (names as readonly string[]).includes(name);
}

/** The names that come with nearly every answer, read once. */
const USUAL_NAMES: ReadonlyMap<string, LineName | null> = new Map([
  ...["5h", "7d", `7d_${PREMIUM_SUFFIX}`, "overage"].flatMap((key) =>
    PLAN_FIELDS.map((field) => `${UNIFIED_PREFIX}${key}-${field}`)
  ),
  ...RATE_KEYS.flatMap((key) =>
    RATE_FIELDS.map((field) => `${LIMIT_PREFIX}${key}-${field}`)
  ),
  ...["status", "reset", "representative-claim", "fallback-percentage"].map(
    (field) => UNIFIED_PREFIX + field,
  ),
].map((name) => [name, readName(name)]));

/**
 * Returns all windows in `headers`, plan windows first. Of a repeated line the
 * last counts. `surpassed-threshold` lines repeat the utilization less exactly
 * and are ignored.
 */
export function limitReadings(
  headers: HeaderList,
  now: Instant,
): readonly LimitReading[] {
  const plan: WindowLines[] = [];
  const rate: WindowLines[] = [];
  for (const [name, value] of headers) {
    if (!isLimitName(name)) continue;
    const usual = USUAL_NAMES.get(name);
    const read = usual === undefined ? readName(name) : usual;
    if (read === null) continue;
    const { axis, key, field } = read;
    linesOf(axis === "plan" ? plan : rate, axis, key)[field] = value;
  }
  const readings: LimitReading[] = [];
  for (const lines of plan) {
    if (isWindowName(lines.key)) readings.push(planReading(lines, now));
  }
  for (const lines of rate) readings.push(rateReading(lines, now));
  return readings.length > WINDOWS_MAX
    ? readings.slice(0, WINDOWS_MAX)
    : readings;
}

/** Returns the entry of `key`, which is added if it is not there. */
function linesOf(
  windows: WindowLines[],
  axis: LimitReading["axis"],
  key: WindowKey,
): WindowLines {
  for (const known of windows) if (known.key === key) return known;
  const added: WindowLines = {
    key,
    axis,
    utilization: null,
    status: null,
    reset: null,
    limit: null,
    remaining: null,
  };
  windows.push(added);
  return added;
}

/** Whether there is any rate-limit line. */
export function hasLimitHeader(headers: HeaderList): boolean {
  return headers.some(([name]) => isLimitName(name));
}

function isLimitName(name: string): boolean {
  const first = name.charCodeAt(0);
  if (first !== 0x61 && first !== 0x41) return false;
  return name.length > LIMIT_PREFIX.length &&
    name.slice(0, LIMIT_PREFIX.length).toLowerCase() === LIMIT_PREFIX;
}

/** Returns the value of `anthropic-ratelimit-unified-<field>`, or null. */
export function unifiedField(
  headers: HeaderList,
  field: string,
): string | null {
  return headerValue(headers, UNIFIED_PREFIX + field)?.trim() ?? null;
}

/** Returns a status; an unknown word is null, since it does not mean "allowed". */
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
 * Returns the window that `representative-claim` names; null for `overage`,
 * which is not a window, and for unknown claims.
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
 * Returns the model family that a window limits, by the part of its name after
 * the first `_`. A suffix that is not a model's matches no request, so that it
 * cannot close a whole account.
 */
function familyOf(key: WindowKey): ModelFamily | null {
  const suffix = /_(.+)$/.exec(key)?.[1];
  if (suffix === undefined) return null;
  return suffix === PREMIUM_SUFFIX ? PREMIUM_FAMILY : modelFamily(suffix);
}

/** Rejects names that every object has, which look-ups by name would find. */
function isWindowName(key: string): boolean {
  return !NO_WINDOWS.has(key) && !(key in Object.prototype);
}

function planReading(
  { key, utilization, status, reset }: WindowLines,
  now: Instant,
): LimitReading {
  const lengthMs = windowLengthMs(key);
  return {
    key,
    axis: "plan",
    family: familyOf(key),
    lengthMs,
    utilization: decimal(utilization),
    status: windowStatus(status),
    resetsAt: boundedReset(
      resetInstant(reset),
      now,
      /^\d+[mhd]/.test(key) ? lengthMs : UNKNOWN_LENGTH_MS_MAX,
    ),
  };
}

/** Returns a window of an API key: a bucket that refills within about a minute. */
function rateReading(lines: WindowLines, now: Instant): LimitReading {
  const limit = decimal(lines.limit);
  const remaining = decimal(lines.remaining);
  const utilization = limit === null || limit === 0 || remaining === null
    ? null
    : Math.max(0, 1 - remaining / limit);
  return {
    key: lines.key,
    axis: "rate",
    family: null,
    lengthMs: MINUTE_MS,
    utilization,
    status: null,
    resetsAt: boundedReset(
      resetInstant(lines.reset),
      now,
      UNKNOWN_LENGTH_MS_MAX,
    ),
  };
}

/** Limits a reset to the window's length from now, plus a difference of clocks. */
export function boundedReset(
  resetsAt: Instant | null,
  now: Instant,
  lengthMs: number,
): Instant | null {
  if (resetsAt === null) return null;
  return instantFromMs(Math.min(resetsAt, after(now, lengthMs + SKEW_MS)));
}
