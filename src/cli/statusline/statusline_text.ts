/**
 * Writes the status line: parts in order of importance, coloured by how much is
 * used, as many as the width allows. Pure.
 *
 * @module
 */

import { inert } from "../../core/plain_text.ts";
import type { StatuslineInput } from "../../claude/statusline_input.ts";
import type { SessionTokens } from "../../claude/sessions/session_tokens.ts";
import {
  countText,
  durationText,
  moneyText,
  percentText,
} from "../../control/words.ts";
import type { GlanceWindow, PoolGlance } from "../../core/quota/glance.ts";

interface StatuslineFacts {
  readonly input: StatuslineInput;
  /** Null where there is no transcript. */
  readonly tokens: SessionTokens | null;
  /** Null if neither the server nor its state could be read. */
  readonly glance: PoolGlance | null;
  readonly nowMs: number;
  /** Width of the terminal in cells, or null. */
  readonly width: number | null;
  readonly isColored: boolean;
}

type Grade = "green" | "blue" | "yellow" | "red" | "plain";

/** Bold and saturated colours, because Claude Code dims the line. */
const COLORS: Readonly<Record<Exclude<Grade, "plain">, string>> = {
  green: "40;200;80",
  blue: "60;150;255",
  yellow: "255;200;0",
  red: "255;70;70",
};

interface Part {
  readonly text: string;
  readonly grade: Grade;
  /**
   * The part with the highest number is dropped first when the line is too
   * long.
   */
  readonly drop: number;
  /** Follows the part before it without a bar. */
  readonly isJoined?: boolean;
}

const BAR = " │ ";
const STALE_MS = 60_000;

/** Returns one line without its end; empty if nothing is known. */
export function statuslineText(facts: StatuslineFacts): string {
  let parts = [
    ...modelParts(facts.input),
    ...tokenParts(facts.tokens),
    ...accountParts(facts),
    ...payingParts(facts.glance),
    ...capacityParts(facts.glance),
  ];
  const width = facts.width ?? Infinity;
  while (parts.length > 1 && cells(parts) > width) {
    const worst = Math.max(...parts.map(({ drop }) => drop));
    parts = parts.filter((part, index) =>
      part.drop !== worst ||
      index !== parts.findLastIndex(({ drop }) => drop === worst)
    );
  }
  const line = joined(parts, (part) => painted(part, facts.isColored));
  return cells(parts) > width ? cut(parts, width) : line;
}

function joined(
  parts: readonly Part[],
  show: (part: Part) => string,
): string {
  return parts.map((part, index) => {
    const gap = index === 0 ? "" : part.isJoined ? " " : BAR;
    return gap + show(part);
  }).join("");
}

function cells(parts: readonly Part[]): number {
  return [...joined(parts, ({ text }) => text)].length;
}

function cut(parts: readonly Part[], width: number): string {
  return [...joined(parts, ({ text }) => text)].slice(0, Math.max(0, width))
    .join("");
}

function painted({ text, grade }: Part, isColored: boolean): string {
  if (!isColored || grade === "plain") return text;
  return `\u001b[1;38;2;${COLORS[grade]}m${text}\u001b[0m`;
}

/** Returns green, blue, yellow or red as the used part grows. */
function gradeOf(spent: number): Grade {
  if (spent < 0.5) return "green";
  if (spent < 0.75) return "blue";
  return spent < 0.9 ? "yellow" : "red";
}

/** Returns what is paid by the token now; the last part to be dropped. */
function payingParts(glance: PoolGlance | null): readonly Part[] {
  const paying = glance?.paying ?? null;
  if (paying === null) return [];
  const money = moneyText(paying.cost);
  return [{ text: `paying ${money}`.trimEnd(), grade: "red", drop: 0 }];
}

function modelParts(input: StatuslineInput): readonly Part[] {
  const { model, contextShare, contextTokens } = input;
  const parts: Part[] = [];
  if (model !== null) parts.push({ text: model, grade: "plain", drop: 4 });
  if (contextShare !== null) {
    parts.push({
      text: `ctx ${percentText(contextShare)}`,
      grade: gradeOf(contextShare),
      drop: 3,
    });
  }
  if (contextTokens !== null) {
    const text = countText(contextTokens);
    parts.push(
      contextShare === null
        ? { text: `ctx ${text}`, grade: "plain", drop: 3 }
        : { text, grade: "plain", drop: 7, isJoined: true },
    );
  }
  return parts;
}

function tokenParts(tokens: SessionTokens | null): readonly Part[] {
  if (tokens === null) return [];
  const { total, turn, isWhole } = tokens;
  if (total.fresh + total.output === 0) return [];
  const some = isWhole ? "" : "≥";
  const parts: Part[] = [{
    text: `↑${some}${countText(total.fresh)} ↓${some}${
      countText(total.output)
    }`,
    grade: "plain",
    drop: 5,
  }];
  if (turn.fresh + turn.output > 0) {
    parts.push({
      text: `(+${countText(turn.fresh)} +${countText(turn.output)})`,
      grade: "plain",
      drop: 6,
      isJoined: true,
    });
  }
  return parts;
}

/**
 * Returns the windows from the pool, or else from Claude Code's input, without
 * a name.
 */
function accountParts(
  { glance, input, nowMs }: StatuslineFacts,
): readonly Part[] {
  const known = glance?.windows ?? [];
  const windows: readonly GlanceWindow[] = glance !== null
    ? known
    : input.windows.map((window) => ({ ...window, observedAt: null }));
  const account = glance?.account ?? null;
  const parts: Part[] = account === null
    ? []
    : [{ text: inertName(account), grade: "plain", drop: 0 }];
  const signInEndsAt = glance?.signInEndsAt ?? null;
  if (signInEndsAt !== null && signInEndsAt > nowMs) {
    parts.push({
      text: `sign-in ends in ${durationText(signInEndsAt - nowMs)}`,
      grade: "yellow",
      drop: 0,
      isJoined: parts.length > 0,
    });
  }
  for (const window of windows) {
    if (window.resetsAt !== null && window.resetsAt <= nowMs) continue;
    parts.push(windowPart(window, nowMs, parts.length > 0));
  }
  return parts;
}

function windowPart(
  window: GlanceWindow,
  nowMs: number,
  isJoined: boolean,
): Part {
  const { key, utilization, resetsAt, observedAt } = window;
  const age = observedAt === null ? 0 : nowMs - observedAt;
  const reset = resetsAt === null ? "" : ` ${durationText(resetsAt - nowMs)}`;
  const stale = age > STALE_MS ? ` (${durationText(age)} ago)` : "";
  return {
    text: `${key} ${percentText(utilization)}${reset}${stale}`,
    grade: utilization === null ? "plain" : gradeOf(utilization),
    drop: key === "5h" ? 1 : 2,
    isJoined,
  };
}

function capacityParts(glance: PoolGlance | null): readonly Part[] {
  if (glance === null || glance.capacity === null) return [];
  const { verdict, headroom, soonestResetSec } = glance.capacity;
  // A pool that is green serves, however many sessions there are already.
  const free = headroom > 0 ? `${headroom} free` : verdict;
  switch (verdict) {
    case "green":
      return [{ text: `● ${free}`, grade: "green", drop: 2 }];
    case "yellow":
      return [{ text: `▲ ${free}`, grade: "yellow", drop: 2 }];
    case "red": {
      const next = soonestResetSec > 0
        ? ` next ${durationText(soonestResetSec * 1_000)}`
        : "";
      return [{ text: `■ full${next}`, grade: "red", drop: 2 }];
    }
  }
}

const NAME_LENGTH_MAX = 20;

function inertName(text: string): string {
  return inert(text).slice(0, NAME_LENGTH_MAX);
}
