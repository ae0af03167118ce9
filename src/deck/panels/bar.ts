/**
 * A quota window as a bar and as words: what is spent, where an even spend
 * would be now, when it refills, or why the account is closed and until when.
 *
 * @module
 */

import type { AccountView, WindowView } from "../../control/protocol.ts";
import { clockText, durationText, percentText } from "../../control/words.ts";
import { windowLengthMs } from "../../core/quota/quota.ts";
import { type Line, lineWidth, span, type Style } from "../terminal/line.ts";
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
  { glyphs, width, now }: {
    readonly glyphs: Glyphs;
    readonly width: number;
    readonly now: number;
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
  const style = windowStyle(window);
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
 * Returns `↑` with quota to spare, `→` on pace, `↓` ahead of pace; empty if
 * unknown.
 */
function paceArrow(
  window: WindowView,
  glyphs: Glyphs,
  now: number,
): string {
  const elapsed = elapsedPart(window, now);
  if (elapsed === null || window.utilization === null) return "";
  if (elapsed < ELAPSED_MIN) return glyphs.dot;
  const ahead = window.utilization - elapsed;
  if (ahead < -PACE_BAND) return glyphs.up;
  return ahead > PACE_BAND ? glyphs.down : glyphs.level;
}

/** Returns `64% ↑ 41m`, with its age if the figure is older than a minute. */
export function windowLine(
  window: WindowView,
  glyphs: Glyphs,
  now: number,
): Line {
  const arrow = paceArrow(window, glyphs, now);
  const reset = window.resetsAt === null
    ? ""
    : ` ${durationText(window.resetsAt.ms - now)}`;
  const age = now - window.observedAt.ms;
  return [
    span(percentText(window.utilization).padStart(3), windowStyle(window)),
    ...(age > FRESH_MS ? [span(` ${ageText(age)} ago`, "dim")] : []),
    span(arrow === "" ? "" : ` ${arrow}`),
    span(reset),
  ];
}

/** For an age, one unit is enough. */
function ageText(ms: number): string {
  return durationText(ms).split(" ")[0] ?? "";
}

/** Returns the window while it has quota left; null if unknown or spent. */
export function openWindow(view: AccountView, key: string): WindowView | null {
  const window = view.windows.find((one) => one.key === key);
  return window === undefined || isSpent(view, window) ? null : window;
}

function isSpent({ state }: AccountView, { utilization }: WindowView): boolean {
  return state === "spent" && (utilization ?? 0) >= 1;
}

/** Returns key, bar and words in the widths of `bar` and `width`. */
export function windowBar(
  view: AccountView,
  key: string,
  { scene, bar, width }: {
    readonly scene: Scene;
    readonly bar: number;
    /** Width in cells of the words after the bar. */
    readonly width: number;
  },
): Line {
  const { glyphs, model } = scene;
  const room = bar + width + 6;
  const window = openWindow(view, key);
  if (window === null) return windowWords(view, key, { scene, width: room });
  return filled([
    span(`${key} `, "dim"),
    ...barLine(window, { glyphs, width: bar, now: model.now }),
    span(" "),
    ...windowLine(window, glyphs, model.now),
  ], room);
}

/**
 * Returns `5h 64% ↑ 41m` or `5h spent, back 14:05`, padded to `width` cells.
 */
export function windowWords(
  view: AccountView,
  key: string,
  { scene, width, isWhole = false }: {
    readonly scene: Scene;
    readonly width: number;
    /** Whether to write every word, however wide the column. */
    readonly isWhole?: boolean;
  },
): Line {
  const window = view.windows.find((one) => one.key === key);
  if (window === undefined) return [span(" ".repeat(width))];
  const words = isSpent(view, window)
    ? spentLine(view, window, {
      scene,
      width: isWhole ? Infinity : width - 3,
    })
    : windowLine(window, scene.glyphs, scene.model.now);
  return filled([span(`${key} `, "dim"), ...words], width);
}

/** Returns when the window is back, and in how long if there is room. */
function spentLine(
  view: AccountView,
  window: WindowView,
  { scene, width }: { readonly scene: Scene; readonly width: number },
): Line {
  const until = window.resetsAt ?? view.until;
  if (until === null) return [span("used up", "bad")];
  const { now, look } = scene.model;
  const back = `, back ${clockText(until.ms, now, look.timeZone ?? undefined)}`;
  const wait = ` (${durationText(until.ms - now)})`;
  const line = [span("used up", "bad"), span(back)];
  const whole = [...line, span(wait)];
  return lineWidth(whole) <= width ? whole : line;
}

function filled(line: Line, width: number): Line {
  const missing = width - lineWidth(line);
  return missing > 0 ? [...line, span(" ".repeat(missing))] : line;
}
