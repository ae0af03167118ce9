/**
 * The error answers of the fake provider by name, with the status, type and
 * message of the real ones.
 *
 * @module
 */

export type RefusalName =
  | "invalid_request"
  | "no_credential"
  | "invalid_bearer"
  | "invalid_key"
  | "oauth_unsupported"
  | "oauth_refused"
  | "expired"
  | "revoked"
  | "revoked_403"
  | "scope"
  | "forbidden"
  | "organization_disabled"
  | "not_found"
  | "model_not_found"
  | "too_large"
  | "rate_limited"
  | "overloaded"
  | "overloaded_500"
  | "server_error"
  | "unavailable";

export interface Refusal {
  readonly status: number;
  readonly type: string;
  readonly message: string;
  /** `error.details`, if the real answer has them. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export const REFUSALS: Readonly<Record<RefusalName, Refusal>> = {
  invalid_request: {
    status: 400,
    type: "invalid_request_error",
    message: "Invalid request",
  },
  no_credential: {
    status: 401,
    type: "authentication_error",
    message: "x-api-key header is required",
  },
  invalid_bearer: {
    status: 401,
    type: "authentication_error",
    message: "Invalid bearer token",
  },
  invalid_key: {
    status: 401,
    type: "authentication_error",
    message: "invalid x-api-key",
  },
  oauth_unsupported: {
    status: 401,
    type: "authentication_error",
    message: "OAuth authentication is currently not supported.",
  },
  oauth_refused: {
    status: 401,
    type: "authentication_error",
    message:
      "OAuth authentication is currently not allowed for this organization.",
  },
  expired: {
    status: 401,
    type: "authentication_error",
    message:
      "OAuth token has expired. Please obtain a new token or refresh your existing token.",
    details: { error_visibility: "user_facing", error_code: "token_expired" },
  },
  revoked: {
    status: 401,
    type: "authentication_error",
    message: "OAuth access token has been revoked.",
  },
  revoked_403: {
    status: 403,
    type: "permission_error",
    message: "OAuth token has been revoked. Please obtain a new token.",
  },
  scope: {
    status: 403,
    type: "permission_error",
    message: "OAuth token does not meet scope requirement user:profile",
  },
  forbidden: {
    status: 403,
    type: "forbidden",
    message: "Request not allowed",
  },
  organization_disabled: {
    status: 400,
    type: "invalid_request_error",
    message: "This organization has been disabled.",
  },
  not_found: { status: 404, type: "not_found_error", message: "Not Found" },
  model_not_found: {
    status: 404,
    type: "not_found_error",
    message: "model: claude-none",
  },
  too_large: {
    status: 413,
    type: "request_too_large",
    message: "Request exceeds the maximum size",
  },
  rate_limited: {
    status: 429,
    type: "rate_limit_error",
    message:
      "This request would exceed your account's rate limit. Please try again later.",
  },
  overloaded: { status: 529, type: "overloaded_error", message: "Overloaded" },
  overloaded_500: { status: 500, type: "api_error", message: "Overloaded" },
  server_error: {
    status: 500,
    type: "api_error",
    message: "Internal server error",
  },
  unavailable: {
    status: 503,
    type: "api_error",
    message: "Service unavailable",
  },
};

/** Returns the error body that every client of the API expects. */
export function refusalBody(refusal: Refusal, requestId: string): string {
  return JSON.stringify({
    type: "error",
    error: {
      type: refusal.type,
      message: refusal.message,
      ...(refusal.details === undefined ? {} : { details: refusal.details }),
    },
    request_id: requestId,
  });
}
