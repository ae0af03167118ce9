/**
 * A quota window as a bar and as words: what is spent, where an even spend
 * would be now, when it refills, or why the account is closed and until when.
 *
 * @module
 */

import type { AccountView, WindowView } from "../../control/protocol.ts";
import { durationText, percentText } from "../../control/words.ts";
import { windowLengthMs } from "../../core/quota/quota.ts";
import { type Line, span, type Style } from "../terminal/line.ts";
import type { Glyphs } from "../terminal/theme.ts";
import type { Scene } from "../scene.ts";

/**
 * Limits from which a window is shown as careful and as bad: the seeds' limits.
 */
const CAREFUL_FROM = 0.7;
const BAD_FROM = 0.9;

/** Within this distance of an even spend, a window is on pace. */
const PACE_BAND = 0.05;

/** Below this elapsed share of a window, a pace says nothing. */
const ELAPSED_MIN = 0.02;

/** A figure older than this is shown with its age. */
const FRESH_MS = 60_000;

function windowStyle({ utilization }: WindowView): Style {
  if (utilization === null) return "dim";
  if (utilization >= BAD_FROM) return "bad";
  return utilization >= CAREFUL_FROM ? "careful" : "good";
}

/** Returns `▕██████▍·┃·▏` in `width` cells, and two cells for its ends. */
function barLine(
  window: WindowView,
  { glyphs, width, now, fades }: {
    readonly glyphs: Glyphs;
    readonly width: number;
    readonly now: number;
    readonly fades: boolean;
  },
): Line {
  const part = Math.min(1, Math.max(0, window.utilization ?? 0));
  const parts = glyphs.barParts.length;
  const eighths = Math.round(part * width * parts);
  const full = glyphs.barParts[parts - 1] ?? "#";
  const cells = Array.from({ length: width }, (_, index) => {
    const filled = Math.min(parts, Math.max(0, eighths - index * parts));
    return filled === 0 ? glyphs.barRest : glyphs.barParts[filled - 1] ?? full;
  });
  const elapsed = elapsedPart(window, now);
  const mark = elapsed === null
    ? -1
    : Math.min(width - 1, Math.floor(elapsed * width));
  const style = fades ? "dim" : windowStyle(window);
  const line = cells.map((cell, index) =>
    index === mark
      ? span(glyphs.barPace, "strong")
      : span(cell, cell === glyphs.barRest ? "dim" : style)
  );
  return [span(glyphs.barLeft, "dim"), ...line, span(glyphs.barRight, "dim")];
}

function elapsedPart(window: WindowView, now: number): number | null {
  if (window.resetsAt === null) return null;
  const length = windowLengthMs(window.key);
  return Math.min(1, Math.max(0, 1 - (window.resetsAt.ms - now) / length));
}

/**
 * Returns the mark of a pace: below, on or above the even one; a dot where it is
 * too early to tell, and nothing if the window is unknown.
 */
function paceMark(
  window: WindowView,
  glyphs: Glyphs,
  now: number,
): string {
  const elapsed = elapsedPart(window, now);
  if (elapsed === null || window.utilization === null) return "";
  const ahead = window.utilization - Math.max(elapsed, ELAPSED_MIN);
  // A lot that is used in no time is above any pace.
  if (elapsed < ELAPSED_MIN && ahead <= PACE_BAND) return glyphs.dot;
  if (ahead < -PACE_BAND) return glyphs.below;
  return ahead > PACE_BAND ? glyphs.above : glyphs.level;
}

/** Widest words of a window: `5h 100% ◂ 4h 59m`. */
export const WORDS_WIDTH = 16;

/** Cells around a bar: its two ends and the blank after it. */
const BAR_EXTRA = 3;

/** A bar shorter than this says too little. */
const BAR_MIN = 5;

/** Widths in cells of the shortest bars with their ends. */
export const BAR_WIDTH = BAR_MIN + BAR_EXTRA;
export const BAR_WIDTH_FULL = 10 + BAR_EXTRA;

/** Returns whether a figure is so old that it fades. */
export function isOld(window: WindowView, now: number): boolean {
  return now - window.observedAt.ms > FRESH_MS;
}

/** Returns `5h ▕███·┃·▏ 64% ◂ 41m` in `width` cells, the bar if it has room. */
export function windowLine(
  window: WindowView,
  { scene, width, name = window.key }: {
    readonly scene: Scene;
    readonly width: number;
    readonly name?: string;
  },
): Line {
  const { glyphs, model } = scene;
  const { now } = model;
  const mark = paceMark(window, glyphs, now);
  const reset = window.resetsAt === null
    ? ""
    : ` ${durationText(window.resetsAt.ms - now)}`;
  const fades = isOld(window, now) || model.link.kind === "lost";
  const share = percentText(window.utilization).padStart(4);
  const bar = width - WORDS_WIDTH - BAR_EXTRA + 1;
  return [
    span(`${name} `, "dim"),
    ...(bar < BAR_MIN
      ? []
      : barLine(window, { glyphs, width: bar, now, fades })),
    span(
      bar < BAR_MIN ? share.slice(1) : share,
      fades ? "dim" : windowStyle(window),
    ),
    span(mark === "" ? "" : ` ${mark}`),
    span(reset),
  ];
}

/** Returns the window while it has quota left; null if unknown or spent. */
export function openWindow(view: AccountView, key: string): WindowView | null {
  const window = view.windows.find((one) => one.key === key);
  return window === undefined || isSpent(view, window) ? null : window;
}

function isSpent({ state }: AccountView, { utilization }: WindowView): boolean {
  return state === "spent" && (utilization ?? 0) >= 1;
}
