/**
 * Blocks of five hours, by the rule of ccusage: a block begins at the full hour
 * (UTC) of its first answer and ends five hours later; the next answer begins a
 * new one. Pure.
 *
 * @module
 */

import { HOUR_MS } from "./time.ts";

/** How long a block is. */
export const BLOCK_MS = 5 * HOUR_MS;

/**
 * Returns when the blocks begin, in epoch milliseconds. `times` are those of
 * answers, in order. Hours begin with a quarter of an hour, so the starts of
 * the quarters in which answers ended give the same blocks.
 */
export function blockStarts(times: readonly number[]): readonly number[] {
  const starts: number[] = [];
  let end = -Infinity;
  for (const at of times) {
    if (at < end) continue;
    const start = Math.floor(at / HOUR_MS) * HOUR_MS;
    starts.push(start);
    end = start + BLOCK_MS;
  }
  return starts;
}

/** Returns the start of the block around `at`; null between blocks. */
export function blockAround(
  at: number,
  starts: readonly number[],
): number | null {
  const start = starts.findLast((one) => one <= at);
  return start !== undefined && at < start + BLOCK_MS ? start : null;
}

/** When the first and the last answer of a block were given. */
export interface BlockEdges {
  readonly firstAt: number;
  readonly lastAt: number;
}

/** What a block has used. */
interface BlockUse {
  readonly tokens: number;
  readonly costNano: number;
}

/** A running block: its rate an hour, and what it comes to at its end. */
interface BlockForecast {
  readonly perHour: BlockUse;
  readonly atEnd: BlockUse;
}

/**
 * Returns the mean rate between the first and the last answer, and the use at
 * the block's end if that rate holds from now on, as ccusage does. Null if all
 * answers came at one moment.
 */
export function blockForecast(
  use: BlockUse,
  { firstAt, lastAt }: BlockEdges,
  leftMs: number,
): BlockForecast | null {
  const hours = (lastAt - firstAt) / HOUR_MS;
  if (hours <= 0) return null;
  const perHour = {
    tokens: use.tokens / hours,
    costNano: use.costNano / hours,
  };
  const hoursLeft = Math.max(0, leftMs) / HOUR_MS;
  return {
    perHour,
    atEnd: {
      tokens: use.tokens + perHour.tokens * hoursLeft,
      costNano: use.costNano + perHour.costNano * hoursLeft,
    },
  };
}
