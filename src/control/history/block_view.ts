/**
 * The block of five hours that runs now, as reports show it. Pure.
 *
 * @module
 */

import { Zone } from "../../core/calendar.ts";
import { BLOCK_MS, type BlockEdges, blockForecast } from "../../core/blocks.ts";
import { contextTokens, type Spend } from "../../core/usage.ts";
import type { TimeView } from "../protocol.ts";
import { timeView } from "../status_view.ts";
import { countText, durationText } from "../words.ts";

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

/** Returns `2026-11-21 14:00`. */
export function momentText(ms: number, timeZone: string): string {
  const zone = new Zone(timeZone);
  return new Date(ms + zone.offsetMs(ms)).toISOString().slice(0, 16)
    .replace("T", " ");
}

/** The running block in words. */
interface BlockWords {
  readonly now: string;
  readonly rate: string;
  /** Null if there is no rate. */
  readonly estimate: { readonly text: string; readonly basis: string } | null;
  /** What a block is. */
  readonly note: string;
}

export function blockWords(
  { startsAt, endsAt, tokens, costUsd, burnRate, projection }: BlockView,
  { timeZone, hasCost }: {
    readonly timeZone: string;
    readonly hasCost: boolean;
  },
): BlockWords {
  const clock = (ms: number) => momentText(ms, timeZone).slice(-5);
  const end = clock(endsAt.ms);
  const use = (count: number, usd: number | null, per = "") => {
    const money = usd === null ? "unpriced" : `$${usd.toFixed(2)}`;
    const cost = hasCost ? `, ${money}${per}` : "";
    return `${countText(count)} tokens${per}${cost}`;
  };
  const note = "blocks are by the clock, of all accounts: no plan's window";
  const now = `${clock(startsAt.ms)} to ${end}: ${use(tokens, costUsd)}`;
  if (burnRate === null || projection === null) {
    const rate = "unknown: its answers came at one moment";
    return { now, rate, estimate: null, note };
  }
  return {
    now,
    rate: use(burnRate.tokensPerHour, burnRate.usdPerHour, " an hour"),
    estimate: {
      text: `${use(projection.tokens, projection.costUsd)} at ${end}, in ${
        durationText(projection.remainingMs)
      }`,
      basis: `if that rate holds; the last answer is ${
        durationText(projection.ageMs)
      } old`,
    },
    note,
  };
}
