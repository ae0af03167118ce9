/**
 * Tables that fit the terminal: where they are too wide, the least important
 * columns go, then names are cut in the middle. A row is always one line.
 *
 * @module
 */

import { cut, cutInMiddle, widthOf } from "../deck/terminal/grapheme.ts";

/** One column of a table of `Row`s. */
export interface Column<Row> {
  readonly title: string;
  readonly of: (row: Row) => string;
  /** Set to the right, as numbers are. */
  readonly isNumber?: boolean;
  /** The higher, the earlier it goes if there is no room; absent: it stays. */
  readonly drop?: number;
  /** Colours the text of a row. */
  readonly paint?: (row: Row, text: string) => string;
  /** Cells down to which its texts may be cut; absent: never. */
  readonly cutTo?: number;
  /** Sentences are cut at their end, names in their middle. */
  readonly isSentence?: boolean;
}

/** A table as lines. */
interface TableLines {
  readonly head: string;
  readonly rows: readonly string[];
  /** Titles of the columns that had no room. */
  readonly dropped: readonly string[];
}

const GAP = 2;

/**
 * Returns the table in at most `width` cells; Infinity shows all of it. A column
 * that may go does so when it is empty in each row.
 */
export function tableLines<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  width: number,
): TableLines {
  let shown = columns.map((column) => measured(column, rows))
    .filter(({ column, cells }) =>
      column.drop === undefined || cells.some((cell) => cell !== "")
    );
  const dropped: string[] = [];
  while (sumOf(shown) > width) {
    const last = shown.reduce<Measured<Row> | null>((worst, one) => {
      const rank = one.column.drop ?? 0;
      return rank > 0 && rank >= (worst?.column.drop ?? 1) ? one : worst;
    }, null);
    if (last === null) break;
    dropped.push(last.column.title);
    shown = shown.filter((one) => one !== last);
  }
  shown = squeezed(shown, width);
  return {
    head: lineOf(
      shown.map((one) => ({ text: aligned(one.column.title, one) })),
      width,
    ),
    rows: rows.map((row, index) =>
      lineOf(
        shown.map((one) => ({
          text: aligned(one.cells[index] ?? "", one),
          paint: (text) => one.column.paint?.(row, text) ?? text,
        })),
        width,
      )
    ),
    dropped,
  };
}

/**
 * Returns rows of cells as a table; the first row is its headings. `looks` are
 * the properties of the columns, in their order.
 */
export function cellLines(
  [head = [], ...rows]: readonly (readonly string[])[],
  looks: readonly Omit<Column<readonly string[]>, "title" | "of">[],
  width: number,
): readonly string[] {
  const columns = head.map((title, at): Column<readonly string[]> => ({
    ...looks[at],
    title,
    of: (row) => row[at] ?? "",
  }));
  const table = tableLines(rows, columns, width);
  return [table.head, ...table.rows];
}

interface Cell {
  readonly text: string;
  readonly paint?: (text: string) => string;
}

/** Returns the cells as one line, coloured once it is as short as it must be. */
function lineOf(cells: readonly Cell[], width: number): string {
  let room = width;
  const parts: string[] = [];
  cells.forEach(({ text, paint }, at) => {
    const isLast = at === cells.length - 1;
    const whole = isLast ? text.trimEnd() : text;
    const short = cut(whole, Math.max(0, room));
    room -= widthOf(short) + GAP;
    if (short === "") return;
    const bare = short.trimEnd();
    const rest = short.slice(bare.length);
    parts.push(`${bare === "" ? "" : paint?.(bare) ?? bare}${rest}`);
  });
  return parts.join(" ".repeat(GAP)).trimEnd();
}

interface Measured<Row> {
  readonly column: Column<Row>;
  readonly cells: readonly string[];
  readonly width: number;
}

function measured<Row>(
  column: Column<Row>,
  rows: readonly Row[],
): Measured<Row> {
  const cells = rows.map((row) => column.of(row));
  const width = Math.max(widthOf(column.title), ...cells.map(widthOf));
  return { column, cells, width };
}

function sumOf<Row>(shown: readonly Measured<Row>[]): number {
  return shown.reduce((sum, { width }) => sum + width, 0) +
    GAP * Math.max(0, shown.length - 1);
}

/** Takes what is missing from the columns that may be cut, the widest first. */
function squeezed<Row>(
  shown: readonly Measured<Row>[],
  width: number,
): Measured<Row>[] {
  const widths = shown.map((one) => one.width);
  let missing = sumOf(shown) - width;
  while (missing > 0) {
    let widest = -1;
    shown.forEach(({ column }, at) => {
      if (column.cutTo === undefined) return;
      const own = widths[at] ?? 0;
      if (own <= column.cutTo || own <= (widths[widest] ?? 0)) return;
      widest = at;
    });
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    missing -= 1;
  }
  return shown.map((one, at) => ({ ...one, width: widths[at] ?? 0 }));
}

function aligned<Row>(
  text: string,
  { column, width }: Measured<Row>,
): string {
  const short = column.isSentence === true
    ? cut(text, width)
    : cutInMiddle(text, width);
  const room = " ".repeat(Math.max(0, width - widthOf(short)));
  return column.isNumber === true ? room + short : short + room;
}
