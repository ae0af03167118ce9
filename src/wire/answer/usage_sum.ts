/**
 * Wire room: token counts folded from the `usage` objects of an answer.
 *
 * @module
 */

import { NO_USAGE, type TokenUsage } from "../../core/usage.ts";
import { asObject, type JsonObject } from "../request/json_value.ts";

/** What one `usage` object states; null is not stated. */
type Statement = { readonly [Key in keyof Counts]: number | null };

/** The counts of one message as last stated; each statement is cumulative. */
interface Counts {
  readonly input: number;
  readonly cacheRead: number;
  /** All writes; the two below are a breakdown that may be missing. */
  readonly cacheWrite: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly output: number;
}

const NO_COUNTS: Counts = {
  input: 0,
  cacheRead: 0,
  cacheWrite: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  output: 0,
};

/**
 * Adds up the messages of an answer. Within one message the last statement of
 * the prompt counts and the highest count of output, never the sum of reports.
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
    const known = this.#current ?? NO_COUNTS;
    this.#current = {
      ...promptAfter(known, seen),
      output: Math.max(known.output, seen.output ?? 0),
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

/**
 * Returns the prompt's counts after one more statement. Some backends state the
 * whole prompt as input first and split it later: the last statement holds, part
 * by part. One of zeros alone states nothing.
 */
function promptAfter(known: Counts, seen: Statement): Counts {
  const total = (seen.input ?? 0) + (seen.cacheRead ?? 0) +
    (seen.cacheWrite ?? 0) + (seen.cacheWrite5m ?? 0) +
    (seen.cacheWrite1h ?? 0);
  if (total === 0) return known;
  const cacheWrite = seen.cacheWrite ?? known.cacheWrite;
  // A later statement often leaves the breakdown out: the earlier one holds.
  const hour = seen.cacheWrite1h ?? Math.min(known.cacheWrite1h, cacheWrite);
  return {
    input: seen.input ?? known.input,
    cacheRead: seen.cacheRead ?? known.cacheRead,
    cacheWrite,
    cacheWrite5m: seen.cacheWrite5m ??
      Math.min(known.cacheWrite5m, Math.max(0, cacheWrite - hour)),
    cacheWrite1h: hour,
    output: known.output,
  };
}

function countsIn(usage: JsonObject): Statement | null {
  const breakdown = asObject(usage["cache_creation"]);
  const counts = {
    input: count(usage["input_tokens"]) ?? chatInput(usage),
    cacheRead: count(usage["cache_read_input_tokens"]) ?? chatCached(usage),
    cacheWrite: count(usage["cache_creation_input_tokens"]),
    cacheWrite5m: count(breakdown?.["ephemeral_5m_input_tokens"]),
    cacheWrite1h: count(breakdown?.["ephemeral_1h_input_tokens"]),
    output: count(usage["output_tokens"]) ??
      count(usage["completion_tokens"]),
  };
  return Object.values(counts).every((value) => value === null) ? null : counts;
}

/** `prompt_tokens` of `/v1/chat/completions` counts what was read from cache too. */
function chatInput(usage: JsonObject): number | null {
  const prompt = count(usage["prompt_tokens"]);
  return prompt === null
    ? null
    : Math.max(0, prompt - (chatCached(usage) ?? 0));
}

function chatCached(usage: JsonObject): number | null {
  return count(asObject(usage["prompt_tokens_details"])?.["cached_tokens"]);
}

function count(value: unknown): number | null {
  const isCount = typeof value === "number" && Number.isSafeInteger(value) &&
    value >= 0;
  return isCount ? value : null;
}
