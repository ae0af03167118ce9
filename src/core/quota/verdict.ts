/**
 * What one upstream answer says about the capacity and the credential behind
 * it. The wire room turns headers and bodies into {@linkcode ResponseFacts};
 * everything later reads the verdict and not the status code.
 *
 * @module
 */

import type { ModelFamily } from "../account.ts";
import type { Lack } from "./entitlement.ts";
import type { WindowKey } from "./quota.ts";
import {
  after,
  DAY_MS,
  HOUR_MS,
  type Instant,
  MINUTE_MS,
  SECOND_MS,
} from "../time.ts";

/** Why a credential did not serve. Each reason has its own remedy. */
export type CredentialFault =
  /** 401: expired or revoked; one forced refresh may help. */
  | "expired"
  /** 401 "currently not allowed for this organization", lapsed plan. */
  | "oauth_refused"
  /** 400 "This organization has been disabled." */
  | "organization_disabled"
  /** 403 "Request not allowed": region or credential refusal of this account. */
  | "forbidden"
  /** 403: the login lacks the scope `user:inference`; only a new login has it. */
  | "no_inference"
  /**
   * There is no credential: the refresh failed, or the account needs a login.
   */
  | "unavailable";

export type CapacityVerdict =
  | { readonly kind: "served" }
  /** A window is spent: use another account until it refills. */
  | {
    readonly kind: "exhausted";
    readonly window: WindowKey;
    /** The one family that it bars; null bars the whole account. */
    readonly family: ModelFamily | null;
    readonly until: Instant;
  }
  /** Too fast for a moment: wait on the same account, move at most once. */
  | {
    readonly kind: "throttled";
    readonly until: Instant;
    /** Whether the provider stated the end; otherwise it is our guess. */
    readonly isStated: boolean;
  }
  /** The provider as a whole is busy; no single account causes it. */
  | { readonly kind: "overloaded"; readonly retryAt: Instant | null }
  | { readonly kind: "credential"; readonly fault: CredentialFault }
  /** A 5xx of the provider other than overload. */
  | { readonly kind: "failed"; readonly status: number }
  /** This account may not do what was asked; another one may. */
  | {
    readonly kind: "not_entitled";
    readonly lack: Lack;
    /** The provider's own sentence, or null. */
    readonly said: string | null;
  }
  /** 404 for an id that may live under another account. */
  | { readonly kind: "not_here" }
  /** The request itself was refused; another account would refuse it too. */
  | { readonly kind: "request_refused"; readonly status: number }
  /**
   * A 429 about the request or the model: without retry-after, and without
   * limits or with every limit `allowed`. It says nothing about the account.
   */
  | { readonly kind: "request_throttled" }
  /**
   * No answer came. `sent` is false only if provably no byte of the request
   * left.
   */
  | { readonly kind: "unreachable"; readonly sent: boolean };

/** The facts of an answer that a verdict depends on. */
export interface ResponseFacts {
  readonly status: number;
  /**
   * The window that the provider rejected; of several, the one with the latest
   * reset; null if none. Overage axes are not windows.
   */
  readonly rejected: {
    readonly window: WindowKey;
    readonly family: ModelFamily | null;
    readonly resetsAt: Instant | null;
  } | null;
  /** Whether any rate-limit header or retry-after came with it. */
  readonly hasLimits: boolean;
  /** Whether limit lines came and every one says "allowed". */
  readonly isAllowed: boolean;
  /**
   * From `retry-after` in both forms, capped; null when absent or unparseable.
   */
  readonly retryAt: Instant | null;
  /** What the account may not do, by the words of the answer; else null. */
  readonly lack: Lack | null;
  /**
   * Whether the answer says that the login's scope does not cover inference.
   */
  readonly lacksInference: boolean;
  /** `error.type` of the body, if the body was read. */
  readonly errorType: string | null;
  readonly errorMessage: string | null;
}

/** Assumed length of a throttle that does not state one. */
const THROTTLE_MS = 5 * SECOND_MS;

/** A refusal that says to wait longer is not a throttle: something is spent. */
const THROTTLE_MAX_MS = 10 * MINUTE_MS;

/** A spent window whose reset is not stated is checked again after this. */
const UNSTATED_RESET_MS = MINUTE_MS;

/** No window of the provider lasts longer; a later stated reset is wrong. */
const RESET_MAX_MS = 35 * DAY_MS;

/** An empty prepaid balance is checked again after this. */
const CREDIT_MS = HOUR_MS;

/**
 * Returns what the answer says about the capacity and the credential behind it.
 */
export function classify(facts: ResponseFacts, now: Instant): CapacityVerdict {
  const { errorType, lack } = facts;
  // The words count more than the status: one refusal comes as 400, 403 or 429.
  if (facts.lacksInference) {
    return { kind: "credential", fault: "no_inference" };
  }
  if (lack !== null && !isSpentAnyway(facts)) {
    return { kind: "not_entitled", lack, said: facts.errorMessage };
  }
  const status = facts.status < 400 ? statusOfError(errorType) : facts.status;
  if (status === null) return { kind: "served" };
  if (errorType === "overloaded_error" || status === 529) {
    return { kind: "overloaded", retryAt: facts.retryAt };
  }
  if (status === 429) return classifyRefusal(facts, now);
  const fault = credentialFault(status, facts.errorMessage ?? "");
  if (fault !== null) return { kind: "credential", fault };
  if (isCreditSpent(facts)) {
    const until = after(now, CREDIT_MS);
    return { kind: "exhausted", window: "credit", family: null, until };
  }
  if (status >= 500) return classifyFailure(facts, status);
  if (status === 408) return { kind: "failed", status };
  return { kind: "request_refused", status };
}

/**
 * Returns the verdict on a request that spends no quota. Its answer is about
 * its path: a 401, 403 or 429 there closes no account. `isSearch` is set while
 * the owner of an id in the path is unknown.
 */
export function classifyLookUp(
  facts: ResponseFacts,
  now: Instant,
  { path, isSearch }: { readonly path: string; readonly isSearch: boolean },
): CapacityVerdict {
  if (facts.status === 404 && isSearch) return { kind: "not_here" };
  const verdict = classify(facts, now);
  switch (verdict.kind) {
    case "exhausted":
    case "throttled":
      return { kind: "request_throttled" };
    case "credential":
      return verdict.fault === "expired" ? verdict : {
        kind: "not_entitled",
        lack: { kind: "path", path },
        said: facts.errorMessage,
      };
    case "served":
    case "overloaded":
    case "failed":
    case "not_entitled":
    case "not_here":
    case "request_refused":
    case "request_throttled":
    case "unreachable":
      return verdict;
  }
}

/** A spent plan is the stronger fact if paid usage would have to go on. */
function isSpentAnyway({ lack, rejected }: ResponseFacts): boolean {
  return lack?.kind === "size" && lack.isPaid && rejected !== null;
}

/** An error inside a 200 stream is known by its type alone. */
function statusOfError(errorType: string | null): number | null {
  switch (errorType) {
    case "rate_limit_error":
      return 429;
    case "overloaded_error":
      return 529;
    case "authentication_error":
      return 401;
    case "permission_error":
      return 403;
    case "api_error":
      return 500;
    case null:
    default:
      return null;
  }
}

function classifyRefusal(facts: ResponseFacts, now: Instant): CapacityVerdict {
  const { rejected, retryAt } = facts;
  if (rejected !== null) {
    const { window, family, resetsAt } = rejected;
    const until = future(resetsAt, now) ?? future(retryAt, now) ??
      after(now, UNSTATED_RESET_MS);
    return { kind: "exhausted", window, family, until };
  }
  if (!facts.hasLimits || (facts.isAllowed && retryAt === null)) {
    return { kind: "request_throttled" };
  }
  const until = future(retryAt, now);
  if (until !== null && until - now > THROTTLE_MAX_MS) {
    return { kind: "exhausted", window: "unstated", family: null, until };
  }
  return {
    kind: "throttled",
    until: until ?? after(now, THROTTLE_MS),
    isStated: until !== null,
  };
}

/**
 * Returns `instant` if it is in the future and no further than any window runs.
 */
function future(instant: Instant | null, now: Instant): Instant | null {
  if (instant === null || instant <= now) return null;
  return instant - now > RESET_MAX_MS ? after(now, RESET_MAX_MS) : instant;
}

function credentialFault(
  status: number,
  message: string,
): CredentialFault | null {
  if (status === 400) {
    return /organization has been disabled/i.test(message)
      ? "organization_disabled"
      : null;
  }
  if (status === 401) {
    return /not allowed for this organization|not supported/i.test(message)
      ? "oauth_refused"
      : "expired";
  }
  if (status !== 403) return null;
  // The endpoint wants another scope, which no other account would have either.
  if (/scope/i.test(message)) return null;
  return /revoked|expired/i.test(message) ? "expired" : "forbidden";
}

/** A key without prepaid credit is of no use until a person pays. */
function isCreditSpent({ errorType, errorMessage }: ResponseFacts): boolean {
  return errorType === "billing_error" ||
    /credit balance is too low/i.test(errorMessage ?? "");
}

function classifyFailure(
  facts: ResponseFacts,
  status: number,
): CapacityVerdict {
  const isOverload = status === 503 && facts.retryAt !== null ||
    /^overloaded$/i.test(facts.errorMessage ?? "");
  return isOverload
    ? { kind: "overloaded", retryAt: facts.retryAt }
    : { kind: "failed", status };
}
