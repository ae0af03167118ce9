/**
 * A frame: the whole screen as a grid of cells, each with text and style.
 *
 * @module
 */

import { graphemes } from "./grapheme.ts";
import { type Line, type Style, STYLES } from "./line.ts";

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** One row of cells. */
interface FrameRow {
  /** Equal for rows that look alike. */
  readonly key: string;
  readonly text: readonly string[];
  readonly style: readonly number[];
}

/** A whole screen. A row that did not change is the same object in the next. */
export class Frame implements Size {
  readonly columns: number;
  readonly rows: number;
  readonly lines: readonly FrameRow[];

  constructor({ columns, rows }: Size, lines: readonly FrameRow[]) {
    this.columns = columns;
    this.rows = rows;
    this.lines = lines;
  }

  /** Cells row by row. The second cell of a wide character has empty text. */
  get text(): readonly string[] {
    return this.lines.flatMap(({ text }) => text);
  }

  /** Index into STYLES; SELECTED is added for the row under the cursor. */
  get style(): readonly number[] {
    return this.lines.flatMap(({ style }) => style);
  }
}

/** Bit of a cell's style: the row that the keys act on. */
export const SELECTED = 64;

const STYLE_INDEX: ReadonlyMap<Style, number> = new Map(
  STYLES.map((style, index) => [style, index]),
);

interface Put {
  readonly line: Line;
  readonly column: number;
  readonly bit: number;
}

/** A frame while it is being drawn. */
export class Canvas {
  readonly size: Size;
  readonly #puts: Put[][];

  constructor(size: Size) {
    this.size = size;
    this.#puts = Array.from({ length: size.rows }, () => []);
  }

  /** Draws `line` from `column` on and leaves out what lies outside. */
  put(
    line: Line,
    { row, column = 0, isSelected = false }: {
      readonly row: number;
      readonly column?: number;
      readonly isSelected?: boolean;
    },
  ): void {
    const bit = isSelected ? SELECTED : 0;
    this.#puts[row]?.push({ line, column, bit });
  }

  /**
   * Returns the frame with each cell passed through `change`. Rows that look as
   * in `previous` are taken from it: most of a screen stands still.
   */
  frame(
    change: (cell: string) => string = (cell) => cell,
    previous: Frame | null = null,
  ): Frame {
    const { columns, rows } = this.size;
    const isAlike = previous?.columns === columns && previous.rows === rows;
    let isSame = isAlike;
    const lines = this.#puts.map((puts, row) => {
      const key = keyOf(puts);
      const old = isAlike ? previous?.lines[row] : undefined;
      if (old?.key === key) return old;
      isSame = false;
      return drawnRow(puts, { key, columns, change });
    });
    return isSame && previous !== null ? previous : new Frame(this.size, lines);
  }
}

/** Returns a text that is equal for rows that look alike. */
function keyOf(puts: readonly Put[]): string {
  let key = "";
  for (const { line, column, bit } of puts) {
    key += `\n${column} ${bit}`;
    for (const { text, style } of line) key += `\t${style} ${text}`;
  }
  return key;
}

function drawnRow(
  puts: readonly Put[],
  { key, columns, change }: {
    readonly key: string;
    readonly columns: number;
    readonly change: (cell: string) => string;
  },
): FrameRow {
  const text = new Array<string>(columns).fill(" ");
  const styles = new Array<number>(columns).fill(0);
  for (const { line, column, bit } of puts) {
    let at = column;
    for (const span of line) {
      const index = (STYLE_INDEX.get(span.style) ?? 0) + bit;
      for (const grapheme of graphemes(span.text)) {
        if (at + grapheme.width > columns) break;
        for (let part = 0; part < grapheme.width; part++) {
          free(text, at + part);
          styles[at + part] = index;
        }
        text[at] = grapheme.text;
        if (grapheme.width === 2) text[at + 1] = "";
        at += grapheme.width;
      }
    }
  }
  return { key, text: text.map(change), style: styles };
}

/** If a wide character loses one of its cells, it loses the other too. */
function free(text: string[], cell: number): void {
  if (text[cell] === "") text[cell - 1] = " ";
  if (text[cell + 1] === "") text[cell + 1] = " ";
  text[cell] = " ";
}
