/**
 * A line of the screen before it is placed: pieces of text with a style.
 *
 * @module
 */

import { cut, padEnd, padStart, widthOf } from "./grapheme.ts";

/** What a piece of text means; the theme turns it into a colour. */
export const STYLES = [
  "plain",
  "dim",
  "strong",
  "good",
  "careful",
  "bad",
  "info",
  "title",
  "paid",
] as const;

export type Style = typeof STYLES[number];

export interface Span {
  readonly text: string;
  readonly style: Style;
}

export type Line = readonly Span[];

export function span(text: string, style: Style = "plain"): Span {
  return { text, style };
}

/** Returns `text` in `width` cells, aligned left. */
export function lane(text: string, width: number, style?: Style): Span {
  return span(padEnd(text, width), style);
}

/** Returns `text` in `width` cells, aligned right, for figures. */
export function figure(text: string, width: number, style?: Style): Span {
  return span(padStart(text, width), style);
}

export function lineWidth(line: Line): number {
  return line.reduce((sum, { text }) => sum + widthOf(text), 0);
}

/** Returns the line in at most `width` cells. */
export function fit(line: Line, width: number): Line {
  const fitted: Span[] = [];
  let left = width;
  for (const { text, style } of line) {
    if (left <= 0) break;
    const short = cut(text, left);
    left -= widthOf(short);
    fitted.push({ text: short, style });
  }
  return fitted;
}

/**
 * Puts `left` and `right` at the ends of `width` cells; `right` is cut first.
 */
export function spread(
  left: Line,
  right: Line,
  { width, fill }: { readonly width: number; readonly fill: Span },
): Line {
  const room = width - lineWidth(left) - lineWidth(right);
  if (room < 1) return fit([...left, fill, ...right], width);
  return [...left, span(fill.text.repeat(room), fill.style), ...right];
}

/** Returns the non-empty `parts` in one line with `gap` between them. */
export function joined(parts: readonly Line[], gap: string): Line {
  const line: Span[] = [];
  for (const part of parts) {
    if (part.length === 0) continue;
    if (line.length > 0) line.push(span(gap));
    line.push(...part);
  }
  return line;
}

export function lineText(line: Line): string {
  return line.map(({ text }) => text).join("");
}
