/**
 * Wire room: what an answer says of the quota of the account that served it.
 * The door to everything about limits; the parts are in the files it exports.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";
import {
  type QuotaObservation,
  type QuotaWindow,
  windowLengthMs,
  type WindowStatus,
} from "../../core/quota/quota.ts";
import type { Instant } from "../../core/time.ts";
import type { HeaderList } from "../../ports.ts";
import { headerIdentifier } from "../header_list.ts";
import {
  boundedReset,
  claimedWindow,
  type LimitReading,
  limitReadings,
  unifiedField,
  windowStatus,
} from "./limit_headers.ts";
import { resetInstant } from "./retry_after.ts";

export {
  forRequest,
  REQUESTED_FAMILY,
  responseFacts,
} from "./response_facts.ts";
export { retryAt } from "./retry_after.ts";
export { usageObservation } from "./usage_answer.ts";

/**
 * The quota windows of `accountId` by the headers of one of its answers; null
 * when they speak of none. Any `anthropic-ratelimit-unified-<window>-…` is
 * read, so a new window of the provider works without a release, and an API
 * key's `tokens`, `requests`, `input-tokens`, `output-tokens`. A figure that
 * cannot be read is null. A window past its reset is unspent. The summary
 * lines count only for a claimed window that has no line of its own
 * (teamclaude-family 1.7).
 */
export function observation(
  headers: HeaderList,
  accountId: AccountId,
  now: Instant,
): QuotaObservation | null {
  const stated = limitReadings(headers, now).filter(saysAnything);
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

/** The billing axis beside the plan: it is no window and bars no account. */
export interface Overage {
  readonly status: WindowStatus;
  /** Whether this answer was paid for beyond the plan. */
  readonly isInUse: boolean;
  /** `org_level_disabled`, `out_of_credits`, …; null when not stated. */
  readonly disabledReason: string | null;
}

/**
 * What the headers say of paid overage. It is in use where they say so, else
 * where the plan's own status is `rejected` and overage's is not.
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

/** The organization that the answer was booked to, or null. */
export function organizationId(headers: HeaderList): string | null {
  return headerIdentifier(headers, "anthropic-organization-id");
}

/** The provider's id of the request (`req_…`), or null. */
export function requestId(headers: HeaderList): string | null {
  return headerIdentifier(headers, "request-id");
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

/** A window past its reset is unspent: storing that reset misleads everyone. */
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
