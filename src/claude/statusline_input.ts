/**
 * What Claude Code passes to a status line on standard input (2.1.329). Any
 * field may be missing or have another shape, which is not an error.
 *
 * @module
 */

import { inert } from "../core/plain_text.ts";

/**
 * A window as the last answer's headers stated it, whichever account that was.
 */
interface StatedWindow {
  readonly key: "5h" | "7d";
  /** From 0 to 1. */
  readonly utilization: number;
  /** Epoch milliseconds, or null. */
  readonly resetsAt: number | null;
}

export interface StatuslineInput {
  readonly session: string | null;
  readonly model: string | null;
  readonly transcript: string | null;
  /** Tokens in the context, and the used share of it; null is unknown. */
  readonly contextTokens: number | null;
  readonly contextShare: number | null;
  readonly windows: readonly StatedWindow[];
}

export const NO_INPUT: StatuslineInput = {
  session: null,
  model: null,
  transcript: null,
  contextTokens: null,
  contextShare: null,
  windows: [],
};

type Fields = Readonly<Record<string, unknown>>;

const SESSION = /^[A-Za-z0-9_-]{1,128}$/;
const MODEL_LENGTH_MAX = 40;
const PATH_LENGTH_MAX = 4_096;
/** Larger times are milliseconds, smaller ones seconds. */
const SECONDS_MAX = 100_000_000_000;

/** Returns the input in `text`. Never throws. */
export function statuslineInput(text: string): StatuslineInput {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return NO_INPUT;
  }
  const input = fields(value);
  const session = words(input["session_id"], 128);
  const model = fields(input["model"]);
  const context = fields(input["context_window"]);
  return {
    session: session !== null && SESSION.test(session) ? session : null,
    model: words(model["display_name"], MODEL_LENGTH_MAX) ??
      words(model["id"], MODEL_LENGTH_MAX) ??
      words(input["model"], MODEL_LENGTH_MAX),
    transcript: words(input["transcript_path"], PATH_LENGTH_MAX),
    contextTokens: contextTokens(context),
    contextShare: share(context["used_percentage"]),
    windows: [
      ...stated("5h", fields(input["rate_limits"])["five_hour"]),
      ...stated("7d", fields(input["rate_limits"])["seven_day"]),
    ],
  };
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Fields
    : {};
}

function words(value: unknown, lengthMax: number): string | null {
  if (typeof value !== "string") return null;
  const plain = inert(value);
  return plain.trim() === "" ? null : plain.slice(0, lengthMax);
}

function amount(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) && value >= 0
    ? value
    : null;
}

/** Returns a percentage as a share of 1. */
function share(value: unknown): number | null {
  const percent = amount(value);
  return percent === null ? null : Math.min(percent, 1_000) / 100;
}

/**
 * Returns the tokens of the last answer's prompt, or the totals if those are
 * not stated.
 */
function contextTokens(context: Fields): number | null {
  const usage = fields(context["current_usage"]);
  const parts = [
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
  ].map((name) => amount(usage[name]));
  if (parts.some((part) => part !== null)) {
    return parts.reduce<number>((sum, part) => sum + (part ?? 0), 0);
  }
  return amount(context["total_input_tokens"]);
}

function stated(
  key: StatedWindow["key"],
  value: unknown,
): readonly StatedWindow[] {
  const window = fields(value);
  const utilization = share(window["used_percentage"]);
  if (utilization === null) return [];
  return [{ key, utilization, resetsAt: resetTime(window["resets_at"]) }];
}

/**
 * Returns the time of a reset, or null if it cannot be read. Clients have sent
 * it as epoch seconds, as milliseconds and as text.
 */
function resetTime(value: unknown): number | null {
  const at = typeof value === "string" ? Date.parse(value) : amount(value);
  if (at === null || !Number.isFinite(at)) return null;
  return typeof value === "number" && at < SECONDS_MAX ? at * 1_000 : at;
}
