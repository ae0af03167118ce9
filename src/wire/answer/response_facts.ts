/**
 * Wire room: the facts of an answer that a verdict depends on.
 *
 * @module
 */

import type { ModelFamily } from "../../core/account.ts";
import { DAY_MS, type Instant, MINUTE_MS } from "../../core/time.ts";
import type { ResponseFacts } from "../../core/quota/verdict.ts";
import type { HeaderList } from "../../ports.ts";
import { readApiError } from "./api_error.ts";
import { headerValue } from "../header_list.ts";
import {
  boundedReset,
  claimedWindow,
  hasLimitHeader,
  type LimitReading,
  limitReadings,
  unifiedField,
  windowStatus,
} from "./limit_headers.ts";
import { type Asked, withRights } from "./refusal_words.ts";
import { resetInstant, retryAt } from "./retry_after.ts";

type Rejected = NonNullable<ResponseFacts["rejected"]>;

/** The longest window there is; 18 days and more have been seen from proxies. */
const RETRY_AFTER_MS_MAX = 7 * DAY_MS;

/** From here on a window without a status counts as spent. */
const SPENT_UTILIZATION = 0.999;

/** A wait this long is no throttle: some window is spent. */
const FAMILY_RETRY_AFTER_MS_MIN = 30 * MINUTE_MS;

const TOO_MANY_REQUESTS = 429;

/**
 * Stands for the family of the request's own model where an answer bars one
 * family and does not say which; {@linkcode forRequest} puts the name in. No
 * model is of this family, so left standing it bars nothing.
 */
export const REQUESTED_FAMILY: ModelFamily = "requested";

/**
 * The facts of an answer. `errorBody` is its body without content coding, null
 * where it was not read. `rejected` is null for any status but 429: on a
 * served answer a rejected window means that overage pays. Of several rejected
 * windows one that bars the whole account goes first, then the latest reset.
 */
export function responseFacts(
  status: number,
  headers: HeaderList,
  errorBody: Uint8Array | null,
  now: Instant,
): ResponseFacts {
  const mayRetryAt = retryAt(
    headerValue(headers, "retry-after"),
    now,
    RETRY_AFTER_MS_MAX,
  );
  const error = readApiError(errorBody);
  const rejected = status === TOO_MANY_REQUESTS
    ? rejectedWindow(headers, mayRetryAt, now)
    : null;
  return {
    status,
    rejected: error.type === "overloaded_error" ? null : rejected,
    hasLimits: mayRetryAt !== null || hasLimitHeader(headers),
    isAllowed: isAllowed(headers, now),
    retryAt: mayRetryAt,
    lack: null,
    lacksInference: false,
    errorType: error.type,
    errorMessage: error.message,
  };
}

/**
 * Returns `facts` with what follows from the request: the family that was
 * barred, where the answer did not name it, and the right that was refused.
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

/** Whether the plan's lines state at least one status, and none but "allowed". */
function isAllowed(headers: HeaderList, now: Instant): boolean {
  const summary = windowStatus(unifiedField(headers, "status"));
  const statuses = limitReadings(headers, now)
    .filter(({ axis }) => axis === "plan")
    .map(({ status }) => status)
    .concat(summary)
    .filter((status) => status !== null);
  return statuses.length > 0 &&
    statuses.every((status) => status !== "rejected");
}

function rejectedWindow(
  headers: HeaderList,
  mayRetryAt: Instant | null,
  now: Instant,
): Rejected | null {
  const plan = limitReadings(headers, now)
    .filter((reading) => reading.axis === "plan");
  const stated = plan.filter((reading) => isSpent(reading, now))
    .toSorted(byReach)[0];
  const rejected = stated !== undefined
    ? { ...stated, window: stated.key }
    : claimedRejection(headers, plan, now) ??
      familyRejection(headers, plan, { mayRetryAt, now });
  if (rejected === null) return null;
  const { window, family, resetsAt } = rejected;
  // A reset that has passed says nothing of when this refusal ends.
  const isAhead = resetsAt !== null && resetsAt > now;
  return { window, family, resetsAt: isAhead ? resetsAt : null };
}

function isSpent(reading: LimitReading, now: Instant): boolean {
  if (reading.status !== null) return reading.status === "rejected";
  const isOver = reading.resetsAt !== null && reading.resetsAt <= now;
  return !isOver && (reading.utilization ?? 0) >= SPENT_UTILIZATION;
}

/** What bars the whole account first, then what ends latest. */
function byReach(a: LimitReading, b: LimitReading): number {
  return Number(a.family !== null) - Number(b.family !== null) ||
    (b.resetsAt ?? 0) - (a.resetsAt ?? 0);
}

/**
 * A rejection that only the summary lines state. A window's own status is
 * worth more, so a claim on a window that has one is not believed.
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
 * A week of one model family that is spent without a line of its own: a long
 * wait although both windows of the account have room (peers 0).
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
