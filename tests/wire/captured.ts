/** Header sets as the real client and the real API send them; secrets are fakes. */

import type { HeaderList } from "../../src/ports.ts";

/** Claude Code 2.1.329 in print mode with an API key, order and case as sent. */
export const CLIENT_MESSAGE: HeaderList = [
  ["Accept", "application/json"],
  ["Content-Type", "application/json"],
  ["User-Agent", "claude-cli/2.1.329 (external, sdk-cli)"],
  ["X-Claude-Code-Session-Id", "50aead76-f351-4346-b9ca-4152fdfa5966"],
  ["X-Stainless-Arch", "x64"],
  ["X-Stainless-Lang", "js"],
  ["X-Stainless-OS", "Linux"],
  ["X-Stainless-Package-Version", "0.128.0"],
  ["X-Stainless-Retry-Count", "0"],
  ["X-Stainless-Runtime", "node"],
  ["X-Stainless-Runtime-Version", "v26.12.1"],
  ["X-Stainless-Timeout", "600"],
  [
    "anthropic-beta",
    "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,effort-2025-11-24",
  ],
  ["anthropic-dangerous-direct-browser-access", "true"],
  ["anthropic-version", "2023-06-01"],
  ["x-api-key", "sk-ant-api03-FAKE-client"],
  ["x-app", "cli"],
  ["Connection", "keep-alive"],
  ["Host", "127.0.0.1:3456"],
  ["Accept-Encoding", "gzip, deflate, br, zstd"],
  ["Content-Length", "48032"],
];

function unified(fields: Readonly<Record<string, string>>): HeaderList {
  return Object.entries(fields).map(([name, value]) =>
    [`anthropic-ratelimit-unified-${name}`, value] as const
  );
}

/** A served answer of 2026-07-27. */
export const SERVED: HeaderList = [
  ["content-type", "text/event-stream; charset=utf-8"],
  ["anthropic-organization-id", "00000000-0000-4000-8000-00000000cafe"],
  ["request-id", "req_011FAKE"],
  ...unified({
    "5h-reset": "1785182400",
    "5h-status": "allowed",
    "5h-utilization": "0.01",
    "7d-reset": "1785751200",
    "7d-status": "allowed",
    "7d-utilization": "0.0",
    "fallback-percentage": "0.5",
    "overage-disabled-reason": "org_level_disabled",
    "overage-status": "rejected",
    "representative-claim": "five_hour",
    "reset": "1785182400",
    "status": "allowed",
  }),
];

/** A 429 of 2026-08-02: the premium week is spent, the account is not. */
export const PREMIUM_SPENT: HeaderList = [
  ["retry-after", "51811"],
  ["x-should-retry", "true"],
  ...unified({
    "5h-status": "allowed",
    "5h-utilization": "0.0",
    "5h-reset": "1785685200",
    "7d-status": "allowed_warning",
    "7d-utilization": "0.94",
    "7d-surpassed-threshold": "0.75",
    "7d-reset": "1785736800",
    "7d_oi-status": "rejected",
    "7d_oi-utilization": "1.0",
    "7d_oi-surpassed-threshold": "1.0",
    "7d_oi-reset": "1785736800",
    "fallback-percentage": "0.5",
    "overage-status": "rejected",
    "overage-disabled-reason": "org_level_disabled",
    "representative-claim": "seven_day_overage_included",
    "status": "rejected",
    "reset": "1785736800",
  }),
];

/** Beside the premium 429: 51,811 s before its reset. */
export const PREMIUM_SPENT_AT_MS = (1785736800 - 51811) * 1000;

/** A 429 whose five-hour window is spent. */
export const FIVE_HOURS_SPENT: HeaderList = [
  ["retry-after", "7200"],
  ...unified({
    "5h-status": "rejected",
    "5h-utilization": "1.02",
    "5h-reset": "1785182400",
    "7d-status": "allowed",
    "7d-utilization": "0.4",
    "7d-reset": "1785751200",
    "representative-claim": "five_hour",
    "status": "rejected",
    "reset": "1785182400",
    "overage-status": "rejected",
    "overage-disabled-reason": "org_level_disabled",
  }),
];

/** An API key's answer. */
export const API_KEY_SERVED: HeaderList = [
  ["anthropic-ratelimit-requests-limit", "4000"],
  ["anthropic-ratelimit-requests-remaining", "3999"],
  ["anthropic-ratelimit-requests-reset", "2026-07-27T14:00:01Z"],
  ["anthropic-ratelimit-tokens-limit", "500000"],
  ["anthropic-ratelimit-tokens-remaining", "125000"],
  ["anthropic-ratelimit-tokens-reset", "2026-07-27T14:00:45Z"],
  ["anthropic-ratelimit-input-tokens-limit", "400000"],
  ["anthropic-ratelimit-input-tokens-remaining", "400000"],
  ["anthropic-ratelimit-input-tokens-reset", "2026-07-27T14:00:00Z"],
  ["anthropic-ratelimit-output-tokens-limit", "100000"],
  ["anthropic-ratelimit-output-tokens-remaining", "0"],
  ["anthropic-ratelimit-output-tokens-reset", "2026-07-27T14:00:59Z"],
  ["request-id", "req_012FAKE"],
];
