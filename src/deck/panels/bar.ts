/**
 * A quota window as a bar and as words: what is spent, where an even spend
 * would be now, and when it refills. Pure.
 *
 * @module
 */

import type { WindowView } from "../../control/protocol.ts";
import { durationText, percentText } from "../../control/words.ts";
import { windowLengthMs } from "../../core/quota/quota.ts";
import { type Line, span, type Style } from "../terminal/line.ts";
import type { Glyphs } from "../terminal/theme.ts";

/** From here on a window is careful, and bad: the seeds' limits. */
const CAREFUL_FROM = 0.7;
const BAD_FROM = 0.9;

/** Nearer to the line than this is on pace. */
const PACE_BAND = 0.05;

/** So early in a window a pace says nothing. */
const ELAPSED_MIN = 0.02;

/** A figure older than this carries its age. */
const FRESH_MS = 60_000;

export function windowStyle({ utilization }: WindowView): Style {
  if (utilization === null) return "dim";
  if (utilization >= BAD_FROM) return "bad";
  return utilization >= CAREFUL_FROM ? "careful" : "good";
}

/** `▕██████▍·┃·▏` in `width` cells and two for its ends. */
export function barLine(
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

/** `↑` room to spare, `→` on pace, `↓` ahead of pace; empty where unknown. */
export function paceArrow(
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

/** `64% ↑ 41m`; with its age when the figure is older than a minute. */
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

/** One unit is enough for an age. */
function ageText(ms: number): string {
  return durationText(ms).split(" ")[0] ?? "";
}
