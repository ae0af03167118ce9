/**
 * What one upstream answer says about the capacity and the credential behind
 * it. The wire room turns headers and bodies into {@linkcode ResponseFacts};
 * everything after reads the verdict and never the status code again.
 *
 * @module
 */

import type { ModelFamily } from "./account.ts";
import type { WindowKey } from "./quota.ts";
import type { Instant } from "./time.ts";

/** Why a credential did not serve; each has its own mend. */
export type CredentialFault =
  /** 401: expired or revoked; one forced refresh may mend it. */
  | "expired"
  /** 401 "currently not allowed for this organization", lapsed plan. */
  | "oauth_refused"
  /** 400 "This organization has been disabled." */
  | "organization_disabled"
  /** 403 "Request not allowed": region or credential refusal of this account. */
  | "forbidden";

export type CapacityVerdict =
  | { readonly kind: "served" }
  /** A window is spent: go elsewhere until it refills. */
  | {
    readonly kind: "exhausted";
    readonly window: WindowKey;
    /** The one family it bars; null bars the account. */
    readonly family: ModelFamily | null;
    readonly until: Instant;
  }
  /** Too fast for a moment: wait on the same account, hop at most once. */
  | { readonly kind: "throttled"; readonly until: Instant }
  /** The provider as a whole is busy; no account is to blame. */
  | { readonly kind: "overloaded"; readonly retryAt: Instant | null }
  | { readonly kind: "credential"; readonly fault: CredentialFault }
  /** A 5xx of the provider other than overload. */
  | { readonly kind: "failed"; readonly status: number }
  /** The request itself was refused; another account would refuse it too. */
  | { readonly kind: "request_refused"; readonly status: number }
  /** A 429 with neither retry-after nor limits: about the request or the model. */
  | { readonly kind: "request_throttled" }
  /** No answer. `sent` is false only if provably no byte of the request left. */
  | { readonly kind: "unreachable"; readonly sent: boolean };

/** The facts of an answer that a verdict depends on, and nothing else. */
export interface ResponseFacts {
  readonly status: number;
  /**
   * The window that the provider rejected, latest reset first where several
   * are; null when none is. Overage axes are no windows.
   */
  readonly rejected: {
    readonly window: WindowKey;
    readonly family: ModelFamily | null;
    readonly resetsAt: Instant | null;
  } | null;
  /** Whether any rate-limit header or retry-after came with it. */
  readonly hasLimits: boolean;
  /** From `retry-after`, both forms, capped; null when absent or senseless. */
  readonly retryAt: Instant | null;
  /** `error.type` of the body, where it was read. */
  readonly errorType: string | null;
  readonly errorMessage: string | null;
}
