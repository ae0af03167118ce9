/**
 * What swapping stands at, from this machine's files alone: a statusline may
 * ask at every draw.
 *
 * @module
 */

import type { Instant } from "../core/time.ts";
import { SECOND_MS } from "../core/time.ts";
import type { AccountRecord } from "../store/accounts.ts";
import { soonestReset } from "./auto_swap.ts";
import { isSwappable } from "./poll_usage.ts";
import type { SwapState } from "./swap_state.ts";

/** The seed's fields by the seed's names; scripts rely on them. */
export interface SwapStatus {
  readonly schema: "tc.swap/v1";
  readonly mode: "account" | "apikey";
  /** The account or key in use; empty where none is known. */
  readonly name: string;
  /** In API-key mode: when a login is usable again. */
  readonly resets_at?: string;
  readonly reset_in_seconds?: number;
}

export function swapStatus(
  state: SwapState,
  records: readonly AccountRecord[],
  now: Instant,
): SwapStatus {
  const { mode } = state;
  const id = mode === "account" ? state.account : state.key;
  const name = records.find(({ account }) => account.id === id)?.account.label;
  const soonest = mode === "apikey"
    ? soonestReset(state, records.filter(isSwappable))
    : null;
  return {
    schema: "tc.swap/v1",
    mode,
    name: name ?? "",
    ...(soonest === null ? {} : {
      resets_at: new Date(soonest).toISOString(),
      reset_in_seconds: Math.max(0, Math.ceil((soonest - now) / SECOND_MS)),
    }),
  };
}
