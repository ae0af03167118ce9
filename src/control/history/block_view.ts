/**
 * The block of five hours that runs now, as reports show it. Pure.
 *
 * @module
 */

import { BLOCK_MS, type BlockEdges, blockForecast } from "../../core/blocks.ts";
import { contextTokens, type Spend } from "../../core/usage.ts";
import type { TimeView } from "../protocol.ts";
import { timeView } from "../status_view.ts";

/** The running block of all accounts, by the clock and not by a plan's window. */
export interface BlockView {
  readonly startsAt: TimeView;
  readonly endsAt: TimeView;
  /** Of its answers, by which the rate is computed. */
  readonly firstAnswerAt: TimeView;
  readonly lastAnswerAt: TimeView;
  readonly tokens: number;
  /** At list price; null if nothing in it has a price. */
  readonly costUsd: number | null;
  /** Mean rate from the first answer to the last; null if that is no time. */
  readonly burnRate: {
    readonly tokensPerHour: number;
    readonly usdPerHour: number | null;
  } | null;
  /** An estimate: what the block comes to if that rate holds to its end. */
  readonly projection: {
    /** How old its newest answer is, in milliseconds. */
    readonly ageMs: number;
    readonly remainingMs: number;
    readonly tokens: number;
    readonly costUsd: number | null;
  } | null;
}

const NANODOLLARS = 1_000_000_000;

/** Returns the view of the block that began at `startsAt` and runs at `nowMs`. */
export function blockView(
  spend: Spend,
  { startsAt, edges, nowMs }: {
    readonly startsAt: number;
    readonly edges: BlockEdges;
    readonly nowMs: number;
  },
): BlockView {
  const endsAt = startsAt + BLOCK_MS;
  const remainingMs = Math.max(0, endsAt - nowMs);
  const tokens = contextTokens(spend) + spend.output;
  const { costNano } = spend;
  const isPriced = costNano > 0 || spend.unpriced === 0;
  const usd = (nano: number) => isPriced ? nano / NANODOLLARS : null;
  const forecast = blockForecast({ tokens, costNano }, edges, remainingMs);
  return {
    startsAt: timeView(startsAt),
    endsAt: timeView(endsAt),
    firstAnswerAt: timeView(edges.firstAt),
    lastAnswerAt: timeView(edges.lastAt),
    tokens,
    costUsd: usd(costNano),
    burnRate: forecast === null ? null : {
      tokensPerHour: Math.round(forecast.perHour.tokens),
      usdPerHour: usd(forecast.perHour.costNano),
    },
    projection: forecast === null ? null : {
      ageMs: Math.max(0, nowMs - edges.lastAt),
      remainingMs,
      tokens: Math.round(forecast.atEnd.tokens),
      costUsd: usd(forecast.atEnd.costNano),
    },
  };
}
