/**
 * What an answer says about the quota of the account that served it: the
 * windows that it states, and the facts that a verdict depends on.
 *
 * @module
 */

import type { AccountId, ModelFamily } from "../../core/account.ts";
import {
  type QuotaObservation,
  type QuotaWindow,
  windowLengthMs,
  type WindowStatus,
} from "../../core/quota/quota.ts";
import { DAY_MS, type Instant, MINUTE_MS } from "../../core/time.ts";
import type { HeaderList } from "../../ports.ts";
import { headerIdentifier, headerValue } from "../header_list.ts";
import {
  boundedReset,
  claimedWindow,
  hasLimitHeader,
  type LimitReading,
  limitReadings,
  resetInstant,
  retryAt,
  unifiedField,
  windowStatus,
} from "./limit_headers.ts";
import type { ResponseFacts } from "../../core/quota/verdict.ts";
import { readApiError } from "./api_error.ts";
import { type Asked, withRights } from "./refusal_words.ts";

/**
 * Returns the quota windows of `accountId` by the headers of one of its answers;
 * null if there are none. Any `anthropic-ratelimit-unified-<window>-…` is read,
 * so that a new window of the provider works without a release, and so are an
 * API key's `tokens`, `requests`, `input-tokens` and `output-tokens`. A figure
 * that cannot be read is null. A window past its reset is unused. The summary
 * lines count only for a claimed window that has no line of its own
 * (teamclaude-family 1.7).
 */
export function observation(
  headers: HeaderList,
  accountId: AccountId,
  now: Instant,
  limits: readonly LimitReading[] = limitReadings(headers, now),
): QuotaObservation | null {
  const stated = limits.filter(saysAnything);
  const claimed = claimedReading(headers, stated, now);
  const readings = claimed === null ? stated : [...stated, claimed];
  if (readings.length === 0) return null;
  return {
    accountId,
    at: now,
    source: "response_headers",
    windows: readings.map((reading) => asWindow(reading, now)),
    overage: statedOverage(headers),
  };
}

function statedOverage(headers: HeaderList): Overage | null {
  const said = overage(headers);
  return said.status === null && !said.isInUse ? null : said;
}

/** Paid usage beside the plan: it is not a window and closes no account. */
interface Overage {
  readonly status: WindowStatus;
  /** Whether this answer was paid for beyond the plan. */
  readonly isInUse: boolean;
  /** `org_level_disabled`, `out_of_credits`, …; null if not stated. */
  readonly disabledReason: string | null;
}

/**
 * Returns what the headers say about paid overage. It is in use if they say so,
 * else if the plan's own status is `rejected` and the status of overage is not.
 */
export function overage(headers: HeaderList): Overage {
  const status = windowStatus(unifiedField(headers, "overage-status"));
  const inUse = unifiedField(headers, "overage-in-use");
  const isPlanSpent =
    windowStatus(unifiedField(headers, "status")) === "rejected";
  const isOffered = status === "allowed" || status === "allowed_warning";
  return {
    status,
    isInUse: inUse === null ? isPlanSpent && isOffered : inUse === "true",
    disabledReason: headerIdentifier(
      headers,
      "anthropic-ratelimit-unified-overage-disabled-reason",
    ),
  };
}

function saysAnything(reading: LimitReading): boolean {
  return reading.utilization !== null || reading.status !== null ||
    reading.resetsAt !== null;
}

function claimedReading(
  headers: HeaderList,
  stated: readonly LimitReading[],
  now: Instant,
): LimitReading | null {
  const claimed = claimedWindow(unifiedField(headers, "representative-claim"));
  if (claimed === null) return null;
  if (stated.some((reading) => reading.key === claimed.key)) return null;
  const lengthMs = windowLengthMs(claimed.key);
  const reset = resetInstant(unifiedField(headers, "reset"));
  const reading: LimitReading = {
    ...claimed,
    axis: "plan",
    lengthMs,
    utilization: null,
    status: windowStatus(unifiedField(headers, "status")),
    resetsAt: boundedReset(reset, now, lengthMs),
  };
  return saysAnything(reading) ? reading : null;
}

/** Returns the window; past its reset it is unused, and that reset is dropped. */
function asWindow(reading: LimitReading, now: Instant): QuotaWindow {
  const { key, lengthMs, family, utilization, status, resetsAt } = reading;
  const isOver = resetsAt !== null && resetsAt <= now;
  return {
    key,
    lengthMs,
    family,
    utilization: isOver ? 0 : utilization,
    status: isOver ? null : status,
    resetsAt: isOver ? null : resetsAt,
    observedAt: now,
    source: "response_headers",
  };
}

type Rejected = NonNullable<ResponseFacts["rejected"]>;

/** The longest window there is; proxies have sent 18 days and more. */
const RETRY_AFTER_MS_MAX = 7 * DAY_MS;

/** A window without a status counts as used up from here on. */
const SPENT_UTILIZATION = 0.999;

/** A wait this long is not a throttle: some window is used up. */
const FAMILY_RETRY_AFTER_MS_MIN = 30 * MINUTE_MS;

const TOO_MANY_REQUESTS = 429;

/**
 * Stands for the family of the request's model if an answer bars one family
 * without naming it; {@linkcode forRequest} replaces it. No model belongs to
 * this family, so that it bars nothing if it is not replaced.
 */
const REQUESTED_FAMILY: ModelFamily = "requested";

/**
 * Returns the facts of an answer. `errorBody` is its body without content
 * coding, null if it was not read. `rejected` is null for any status but 429: on
 * a served answer a rejected window means that overage pays. Of several rejected
 * windows the one that closes the whole account counts, else the latest reset.
 * `limits` are the windows in `headers`, if the caller has read them before.
 */
export function responseFacts(
  status: number,
  headers: HeaderList,
  errorBody: Uint8Array | null,
  now: Instant,
  limits: readonly LimitReading[] = limitReadings(headers, now),
): ResponseFacts {
  const plan = limits.filter(({ axis }) => axis === "plan");
  const mayRetryAt = retryAt(
    headerValue(headers, "retry-after"),
    now,
    RETRY_AFTER_MS_MAX,
  );
  const error = readApiError(errorBody);
  const rejected = status === TOO_MANY_REQUESTS
    ? rejectedWindow(headers, plan, { mayRetryAt, now })
    : null;
  return {
    status,
    rejected: error.type === "overloaded_error" ? null : rejected,
    hasLimits: mayRetryAt !== null || hasLimitHeader(headers),
    isAllowed: isAllowed(headers, plan),
    retryAt: mayRetryAt,
    lack: null,
    lacksInference: false,
    errorType: error.type,
    errorMessage: error.message,
  };
}

/**
 * Returns the facts with what follows from the request: the family that was
 * barred, if the answer did not name it, and the right that was refused.
 */
export function forRequest(
  answer: ResponseFacts,
  { family, ...asked }: Asked & { readonly family: ModelFamily },
): ResponseFacts {
  const facts = withRights(answer, asked);
  if (facts.rejected?.family !== REQUESTED_FAMILY) return facts;
  const rejected = { ...facts.rejected, window: `7d:${family}`, family };
  return { ...facts, rejected };
}

/** Whether the plan's lines state at least one status, and none is "rejected". */
function isAllowed(
  headers: HeaderList,
  plan: readonly LimitReading[],
): boolean {
  const summary = windowStatus(unifiedField(headers, "status"));
  if (summary === "rejected") return false;
  let isStated = summary !== null;
  for (const { status } of plan) {
    if (status === "rejected") return false;
    if (status !== null) isStated = true;
  }
  return isStated;
}

function rejectedWindow(
  headers: HeaderList,
  plan: readonly LimitReading[],
  { mayRetryAt, now }: {
    readonly mayRetryAt: Instant | null;
    readonly now: Instant;
  },
): Rejected | null {
  const stated = plan.filter((reading) => isSpent(reading, now))
    .toSorted(byReach)[0];
  const rejected = stated !== undefined
    ? { ...stated, window: stated.key }
    : claimedRejection(headers, plan, now) ??
      familyRejection(headers, plan, { mayRetryAt, now });
  if (rejected === null) return null;
  const { window, family, resetsAt } = rejected;
  // A reset that has passed does not say when this refusal ends.
  const isAhead = resetsAt !== null && resetsAt > now;
  return { window, family, resetsAt: isAhead ? resetsAt : null };
}

function isSpent(reading: LimitReading, now: Instant): boolean {
  if (reading.status !== null) return reading.status === "rejected";
  const isOver = reading.resetsAt !== null && reading.resetsAt <= now;
  return !isOver && (reading.utilization ?? 0) >= SPENT_UTILIZATION;
}

/** Sorts what closes the whole account first, then what ends latest. */
function byReach(a: LimitReading, b: LimitReading): number {
  return Number(a.family !== null) - Number(b.family !== null) ||
    (b.resetsAt ?? 0) - (a.resetsAt ?? 0);
}

/**
 * Returns a rejection that only the summary lines state. A window's own status
 * is more reliable, so a claim about a window that has one is ignored.
 */
function claimedRejection(
  headers: HeaderList,
  plan: readonly LimitReading[],
  now: Instant,
): Rejected | null {
  const status = windowStatus(unifiedField(headers, "status"));
  if (status !== "rejected") return null;
  const resetsAt = boundedReset(
    resetInstant(unifiedField(headers, "reset")),
    now,
    RETRY_AFTER_MS_MAX,
  );
  const claim = unifiedField(headers, "representative-claim");
  const claimed = claimedWindow(claim);
  if (claimed === null) {
    if (plan.some((reading) => reading.status !== null)) return null;
    return { window: "unified", family: null, resetsAt };
  }
  const own = plan.find((reading) => reading.key === claimed.key);
  if (own !== undefined && own.status !== null) return null;
  return { window: claimed.key, family: claimed.family, resetsAt };
}

/**
 * Returns the rejection by a model family's week that has no line of its own: a
 * long wait although both windows of the account have room (peers 0).
 */
function familyRejection(
  headers: HeaderList,
  plan: readonly LimitReading[],
  { mayRetryAt, now }: {
    readonly mayRetryAt: Instant | null;
    readonly now: Instant;
  },
): Rejected | null {
  if (mayRetryAt === null) return null;
  if (mayRetryAt - now < FAMILY_RETRY_AFTER_MS_MIN) return null;
  const hasRoom = ["5h", "7d"].every((key) => {
    const used = plan.find((reading) => reading.key === key)?.utilization;
    return typeof used === "number" && used < SPENT_UTILIZATION;
  });
  if (!hasRoom) return null;
  const claimed = claimedWindow(unifiedField(headers, "representative-claim"));
  const family = claimed?.family ?? REQUESTED_FAMILY;
  const window = claimed?.family === null || claimed === null
    ? `7d:${REQUESTED_FAMILY}`
    : claimed.key;
  return { window, family, resetsAt: mayRetryAt };
}
