/**
 * One window of an account in a lane of its own: bar and words, words alone,
 * or why it is closed and until when. Pure.
 *
 * @module
 */

import type { AccountView, WindowView } from "../../control/protocol.ts";
import { clockText, durationText } from "../../control/words.ts";
import { type Line, lineWidth, span } from "../terminal/line.ts";
import type { Scene } from "../scene.ts";
import { barLine, windowLine } from "./bar.ts";

/** The window while it has something to give; null when unknown or spent. */
export function openWindow(view: AccountView, key: string): WindowView | null {
  const window = view.windows.find((one) => one.key === key);
  return window === undefined || isSpent(view, window) ? null : window;
}

function isSpent({ word }: AccountView, { utilization }: WindowView): boolean {
  return word === "closed" && (utilization ?? 0) >= 1;
}

/** Key, bar and words, as wide as `bar` and `width` make it. */
export function windowBar(
  view: AccountView,
  key: string,
  { scene, bar, width }: {
    readonly scene: Scene;
    readonly bar: number;
    /** Cells of the words behind the bar. */
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

/** `5h 64% ↑ 41m`, or `5h spent, back 14:05`, in `width` cells at least. */
export function windowWords(
  view: AccountView,
  key: string,
  { scene, width, isWhole = false }: {
    readonly scene: Scene;
    readonly width: number;
    /** Every word, however wide the lane. */
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

/** When it is back, and in how long where there is room for that too. */
function spentLine(
  view: AccountView,
  window: WindowView,
  { scene, width }: { readonly scene: Scene; readonly width: number },
): Line {
  const until = window.resetsAt ?? view.until;
  if (until === null) return [span("spent", "bad")];
  const { now, look } = scene.model;
  const back = `, back ${clockText(until.ms, now, look.timeZone ?? undefined)}`;
  const wait = ` (${durationText(until.ms - now)})`;
  const line = [span("spent", "bad"), span(back)];
  const whole = [...line, span(wait)];
  return lineWidth(whole) <= width ? whole : line;
}

function filled(line: Line, width: number): Line {
  const missing = width - lineWidth(line);
  return missing > 0 ? [...line, span(" ".repeat(missing))] : line;
}
