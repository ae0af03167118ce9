/**
 * The API's own answer to a plan that is used up, for a pool that is used up.
 *
 * Claude Code in login mode shows it at once with the time of the reset and
 * continues by itself then (claude-code-client 9 and 10.14). The official SDKs
 * would sleep through `retry-after` however long it is, so a long wait comes
 * with `x-should-retry: false`; Claude Code continues all the same.
 *
 * @module
 */

import type { QuotaWindow, WindowKey } from "../../core/quota/quota.ts";
import { type Instant, SECOND_MS } from "../../core/time.ts";
import type { HeaderList } from "../../ports.ts";
import { apiError, type ApiErrorAnswer } from "./api_error.ts";
import { headerTokens, headerValue } from "../header_list.ts";
import { OAUTH_BETA } from "../headers.ts";
import { UNIFIED_PREFIX } from "./limit_headers.ts";

/** Up to this wait it is best for a program that its SDK waits and retries. */
const SDK_WAIT_SEC_MAX = 60;

/** What the answer says about a pool that is used up. */
interface SpentPool {
  /** Each account with its reason and return, for a person. */
  readonly message: string;
  /** When the first account can serve again. */
  readonly resetsAt: Instant;
  /** The window that closes that account; a key that no plan has counts as `5h`. */
  readonly window: WindowKey;
  /** The plan windows of that account, as last stated. */
  readonly windows: readonly QuotaWindow[];
  readonly now: Instant;
  readonly requestId: string;
}

/**
 * Whether the client that sent these lines handles a limit answer well. Claude
 * Code in `ANTHROPIC_AUTH_TOKEN` mode, which sends no OAuth beta, ends its turn
 * on one and never continues.
 */
export function understandsLimits(request: HeaderList): boolean {
  const agent = headerValue(request, "user-agent") ?? "";
  return !agent.startsWith("claude-cli/") ||
    headerTokens(request, "anthropic-beta").includes(OAUTH_BETA);
}

/** Returns the 429 with the limit lines of the account that serves again first. */
export function limitAnswer(pool: SpentPool): ApiErrorAnswer {
  const { message, resetsAt, now, requestId } = pool;
  const answer = apiError({
    status: 429,
    type: "rate_limit_error",
    message,
    retryAfterSec: null,
    requestId,
  });
  const waitSec = Math.max(1, Math.ceil((resetsAt - now) / SECOND_MS));
  return {
    ...answer,
    headers: [
      ...answer.headers,
      ["retry-after", String(waitSec)],
      ...(waitSec > SDK_WAIT_SEC_MAX
        ? [["x-should-retry", "false"] as const]
        : []),
      ...limitLines(pool),
    ],
  };
}

function limitLines({ resetsAt, window, windows }: SpentPool): HeaderList {
  const claim = claimOf(window);
  const line = (name: string, value: string) =>
    [UNIFIED_PREFIX + name, value] as const;
  const others = windows.filter(({ key }) =>
    key !== claim.key && isPlanKey(key)
  );
  return [
    line("status", "rejected"),
    line("representative-claim", claim.word),
    line("reset", epochSeconds(resetsAt)),
    line("overage-status", "rejected"),
    line(`${claim.key}-status`, "rejected"),
    line(`${claim.key}-utilization`, "1"),
    line(`${claim.key}-reset`, epochSeconds(resetsAt)),
    ...others.flatMap(({ key, status, utilization, resetsAt: end }) => [
      ...(status === null ? [] : [line(`${key}-status`, status)]),
      ...(utilization === null
        ? []
        : [line(`${key}-utilization`, String(utilization))]),
      ...(end === null ? [] : [line(`${key}-reset`, epochSeconds(end))]),
    ]),
  ];
}

/** Whether a header may have this key; `7d:opus` is only tc's name for one. */
function isPlanKey(key: WindowKey): boolean {
  return /^\d+[mhd](_[a-z0-9_]+)?$/.test(key);
}

/** Returns the provider's name for the window, and its key in the lines. */
function claimOf(
  window: WindowKey,
): { readonly key: WindowKey; readonly word: string } {
  const scope = /^7d[_:](.+)$/.exec(window)?.[1];
  if (scope === "oi") {
    return { key: "7d_oi", word: "seven_day_overage_included" };
  }
  if (scope !== undefined) {
    return { key: `7d_${scope}`, word: `seven_day_${scope}` };
  }
  return window === "7d"
    ? { key: "7d", word: "seven_day" }
    : { key: "5h", word: "five_hour" };
}

/** Rounds up: a client that came earlier would get the same refusal. */
function epochSeconds(at: Instant): string {
  return String(Math.ceil(at / SECOND_MS));
}
