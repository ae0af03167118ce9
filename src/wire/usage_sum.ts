/**
 * Wire room: token counts folded from the `usage` objects of an answer.
 *
 * @module
 */

import { NO_USAGE, type TokenUsage } from "../core/usage.ts";
import { asObject, type JsonObject } from "./json_value.ts";

/** The counts of one message, each the highest seen: they are cumulative. */
interface Counts {
  readonly input: number;
  readonly cacheRead: number;
  /** All writes; the two below are a breakdown that may be missing. */
  readonly cacheWrite: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly output: number;
}

/**
 * Adds up the messages of an answer. Within one message every count is
 * cumulative, so its highest value counts and never the sum of its reports.
 */
export class UsageSum {
  #done: TokenUsage | null = null;
  #current: Counts | null = null;
  #id: string | null = null;

  /** The reports that follow belong to the message `id`. */
  begin(id: string | null): void {
    if (id === this.#id) return;
    this.#done = this.total();
    this.#current = null;
    this.#id = id;
  }

  /** Takes one `usage` object; null or one without a count changes nothing. */
  take(usage: JsonObject | null): void {
    const seen = usage === null ? null : countsIn(usage);
    if (seen === null) return;
    const known = this.#current ?? seen;
    this.#current = {
      input: Math.max(known.input, seen.input),
      cacheRead: Math.max(known.cacheRead, seen.cacheRead),
      cacheWrite: Math.max(known.cacheWrite, seen.cacheWrite),
      cacheWrite5m: Math.max(known.cacheWrite5m, seen.cacheWrite5m),
      cacheWrite1h: Math.max(known.cacheWrite1h, seen.cacheWrite1h),
      output: Math.max(known.output, seen.output),
    };
  }

  /** The sum over all messages; null if no count was seen. */
  total(): TokenUsage | null {
    if (this.#current === null) return this.#done;
    const { input, cacheRead, cacheWrite, cacheWrite5m, cacheWrite1h, output } =
      this.#current;
    // Writes that the breakdown leaves out went to the 5-minute cache.
    const unspecified = Math.max(0, cacheWrite - cacheWrite5m - cacheWrite1h);
    const done = this.#done ?? NO_USAGE;
    return {
      input: done.input + input,
      cacheRead: done.cacheRead + cacheRead,
      cacheWrite5m: done.cacheWrite5m + cacheWrite5m + unspecified,
      cacheWrite1h: done.cacheWrite1h + cacheWrite1h,
      output: done.output + output,
    };
  }
}

function countsIn(usage: JsonObject): Counts | null {
  const breakdown = asObject(usage["cache_creation"]);
  const counts = {
    input: count(usage["input_tokens"]),
    cacheRead: count(usage["cache_read_input_tokens"]),
    cacheWrite: count(usage["cache_creation_input_tokens"]),
    cacheWrite5m: count(breakdown?.["ephemeral_5m_input_tokens"]),
    cacheWrite1h: count(breakdown?.["ephemeral_1h_input_tokens"]),
    output: count(usage["output_tokens"]),
  };
  if (Object.values(counts).every((value) => value === null)) return null;
  return {
    input: counts.input ?? 0,
    cacheRead: counts.cacheRead ?? 0,
    cacheWrite: counts.cacheWrite ?? 0,
    cacheWrite5m: counts.cacheWrite5m ?? 0,
    cacheWrite1h: counts.cacheWrite1h ?? 0,
    output: counts.output ?? 0,
  };
}

function count(value: unknown): number | null {
  const isCount = typeof value === "number" && Number.isSafeInteger(value) &&
    value >= 0;
  return isCount ? value : null;
}
