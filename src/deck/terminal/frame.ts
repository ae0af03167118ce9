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

/** Cells row by row. The second cell of a wide character has empty text. */
export interface Frame extends Size {
  readonly text: readonly string[];
  /** Index into STYLES; SELECTED is added for the row under the cursor. */
  readonly style: readonly number[];
}

/** Bit of a cell's style: the row that the keys act on. */
export const SELECTED = 64;

const STYLE_INDEX: ReadonlyMap<Style, number> = new Map(
  STYLES.map((style, index) => [style, index]),
);

/** A frame while it is being drawn. */
export class Canvas {
  readonly size: Size;
  readonly #text: string[];
  readonly #style: number[];

  constructor(size: Size) {
    this.size = size;
    this.#text = new Array(size.columns * size.rows).fill(" ");
    this.#style = new Array(size.columns * size.rows).fill(0);
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
    const { columns, rows } = this.size;
    if (row < 0 || row >= rows) return;
    const bit = isSelected ? SELECTED : 0;
    let at = column;
    for (const { text, style } of line) {
      const index = (STYLE_INDEX.get(style) ?? 0) + bit;
      for (const grapheme of graphemes(text)) {
        if (at + grapheme.width > columns) return;
        const cell = row * columns + at;
        for (let part = 0; part < grapheme.width; part++) {
          this.#free(cell + part);
          this.#style[cell + part] = index;
        }
        this.#text[cell] = grapheme.text;
        if (grapheme.width === 2) this.#text[cell + 1] = "";
        at += grapheme.width;
      }
    }
  }

  /** If a wide character loses one of its cells, it loses the other too. */
  #free(cell: number): void {
    if (this.#text[cell] === "") this.#text[cell - 1] = " ";
    if (this.#text[cell + 1] === "") this.#text[cell + 1] = " ";
    this.#text[cell] = " ";
  }

  /** Returns the frame with each cell passed through `change`. */
  frame(change: (cell: string) => string = (cell) => cell): Frame {
    const { columns, rows } = this.size;
    return {
      columns,
      rows,
      text: this.#text.map(change),
      style: [...this.#style],
    };
  }
}
