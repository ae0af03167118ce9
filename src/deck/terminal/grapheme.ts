/**
 * Text as a terminal shows it: graphemes and their widths in cells.
 *
 * @module
 */

import { inert } from "../../control/words.ts";
import { cellWidth, isPlain } from "./cell_width.ts";

/** A piece of text that a person sees as one character. */
interface Grapheme {
  readonly text: string;
  /** Cells that it takes. */
  readonly width: 1 | 2;
}

/** Longest grapheme; a longer heap of marks is cut to its base character. */
const GRAPHEME_UNITS_MAX = 32;

const KNOWN_MAX = 4_096;

const ASCII = /^[\x20-\x7e]*$/;

/** Made when it is first needed, which takes as long as the start of tc. */
const segmenters: Intl.Segmenter[] = [];

function segmenter(): Intl.Segmenter {
  if (segmenters.length === 0) {
    segmenters.push(new Intl.Segmenter(undefined, { granularity: "grapheme" }));
  }
  return segmenters[0] ?? new Intl.Segmenter();
}

/** Measuring is slow and the same few characters come again and again. */
const known = new Map<string, Grapheme | null>();

/** So is cutting text into graphemes, and most lines stay as they are. */
const knownTexts = new Map<string, Measured>();

interface Measured {
  readonly graphemes: readonly Grapheme[];
  readonly width: number;
}

/** The cells of ASCII, so that drawing them makes nothing new. */
const ASCII_CELLS: readonly Grapheme[] = Array.from(
  { length: 0x7f },
  (_, code) => ({ text: String.fromCharCode(code), width: 1 }),
);

/** Returns the drawable part of `text`, one grapheme after the other. */
export function graphemes(text: string): readonly Grapheme[] {
  if (!ASCII.test(text)) return measured(text).graphemes;
  const cells: Grapheme[] = [];
  for (let at = 0; at < text.length; at++) {
    const cell = ASCII_CELLS[text.charCodeAt(at)];
    if (cell !== undefined) cells.push(cell);
  }
  return cells;
}

function measured(text: string): Measured {
  const found = knownTexts.get(text);
  if (found !== undefined) return found;
  if (knownTexts.size >= KNOWN_MAX) knownTexts.clear();
  const cells: Grapheme[] = [];
  let width = 0;
  for (const segment of segmentsOf(text)) {
    const grapheme = measure(segment);
    if (grapheme === null) continue;
    cells.push(grapheme);
    width += grapheme.width;
  }
  const fresh = { graphemes: cells, width };
  knownTexts.set(text, fresh);
  return fresh;
}

function segmentsOf(text: string): readonly string[] {
  if (isPlain(text)) return [...text];
  return Array.from(
    segmenter().segment(inert(text.toWellFormed())),
    ({ segment }) => segment,
  );
}

function measure(segment: string): Grapheme | null {
  const found = known.get(segment);
  if (found !== undefined) return found;
  if (known.size >= KNOWN_MAX) known.clear();
  const text = segment.length > GRAPHEME_UNITS_MAX
    ? String.fromCodePoint(segment.codePointAt(0) ?? 0x20)
    : segment;
  const width = cellWidth(text);
  const grapheme: Grapheme | null = width === 0 ? null : { text, width };
  known.set(segment, grapheme);
  return grapheme;
}

/** Returns the cells that `text` takes. */
export function widthOf(text: string): number {
  return isPlain(text) ? text.length : measured(text).width;
}

/** Returns `text` in at most `width` cells; a cut shows as `…`. */
export function cut(text: string, width: number, mark = "…"): string {
  if (width <= 0) return "";
  if (widthOf(text) <= width) return text;
  let taken = "";
  let used = 0;
  for (const grapheme of graphemes(text)) {
    if (used + grapheme.width > width - 1) break;
    taken += grapheme.text;
    used += grapheme.width;
  }
  return `${taken}${mark}`;
}

/** Returns `text` in at most `width` cells, with `…` in its middle if cut. */
export function cutInMiddle(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  if (width <= 1) return cut(text, width);
  const cells = graphemes(text);
  const tailRoom = Math.floor((width - 1) / 2);
  const headRoom = width - 1 - tailRoom;
  return `${taken(cells, headRoom)}…${
    taken([...cells].reverse(), tailRoom, true)
  }`;
}

function taken(
  cells: readonly Grapheme[],
  room: number,
  isReversed = false,
): string {
  const parts: string[] = [];
  let used = 0;
  for (const { text, width } of cells) {
    if (used + width > room) break;
    parts.push(text);
    used += width;
  }
  return (isReversed ? parts.reverse() : parts).join("");
}

/** Returns `text` in exactly `width` cells, cut or padded on the right. */
export function padEnd(text: string, width: number): string {
  const short = cut(text, width);
  return short + " ".repeat(Math.max(0, width - widthOf(short)));
}

/** Returns `text` in exactly `width` cells, cut or padded on the left. */
export function padStart(text: string, width: number): string {
  const short = cut(text, width);
  return " ".repeat(Math.max(0, width - widthOf(short))) + short;
}
