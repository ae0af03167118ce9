/**
 * Puts models on a terminal: at most ten frames a second, only what changed,
 * and no byte while nothing changes.
 *
 * @module
 */

import type { Clock } from "../../ports.ts";
import type { Frame } from "./frame.ts";
import type { Model } from "../model.ts";
import type { DeckTerminal } from "./terminal.ts";
import { type ColorDepth, styleCode } from "./theme.ts";
import { view } from "../view.ts";

/** Least time between frames. */
const FRAME_MS = 100;

const SYNC_BEGIN = "\u001b[?2026h";
const SYNC_END = "\u001b[?2026l";

const BELL = "\u0007";

interface ScreenOptions {
  readonly terminal: DeckTerminal;
  readonly depth: ColorDepth;
  readonly clock: Clock;
  /** Called if the terminal can no longer be written. */
  readonly onLost: () => void;
}

export class Screen {
  readonly #options: ScreenOptions;
  #shown: Frame | null = null;
  #model: Model | null = null;
  #drawnMs = -Infinity;
  /** Aborts the wait for the next frame; null while none is due. */
  #due: AbortController | null = null;
  #isPaused = false;

  constructor(options: ScreenOptions) {
    this.#options = options;
  }

  /** Shows `model` now, or when the next frame is due. */
  show(model: Model): void {
    this.#model = model;
    if (this.#due !== null || this.#isPaused) return;
    const { clock } = this.#options;
    const waitMs = this.#drawnMs + FRAME_MS - clock.monotonicMs();
    if (waitMs <= 0) return this.#draw();
    const due = new AbortController();
    this.#due = due;
    clock.sleep(waitMs, due.signal).then(() => {
      this.#due = null;
      this.#draw();
    }, () => {
      // Paused or closed meanwhile.
    });
  }

  /** Draws everything again, whatever is on the terminal. */
  redraw(): void {
    this.#shown = null;
    this.#drawnMs = -Infinity;
    if (this.#model !== null) this.show(this.#model);
  }

  /** Rings the terminal's bell. */
  ring(): void {
    if (!this.#isPaused) this.#write(BELL);
  }

  /** Has the terminal put `text` on the clipboard (OSC 52). */
  copy(text: string): void {
    const bytes = new TextEncoder().encode(text);
    if (!this.#isPaused) this.#write(`${ESC}]52;c;${bytes.toBase64()}${BELL}`);
  }

  /** Stops drawing while another program has the terminal. */
  pause(): void {
    this.#isPaused = true;
    this.#cancel();
  }

  resume(): void {
    this.#isPaused = false;
    this.redraw();
  }

  close(): void {
    this.pause();
  }

  #cancel(): void {
    this.#due?.abort();
    this.#due = null;
  }

  #draw(): void {
    if (this.#model === null || this.#isPaused) return;
    const { depth, clock } = this.#options;
    this.#drawnMs = clock.monotonicMs();
    const frame = view(this.#model, this.#shown);
    const codes = diff(this.#shown, frame, depth);
    this.#shown = frame;
    if (codes !== "") this.#write(`${SYNC_BEGIN}${codes}${SYNC_END}`);
  }

  #write(text: string): void {
    const { terminal, onLost } = this.#options;
    try {
      terminal.write(text);
    } catch {
      // The terminal hung up.
      onLost();
    }
  }
}

const ESC = "\u001b";
const RESET = `${ESC}[0m`;
const CLEAR = `${ESC}[0m${ESC}[2J`;
const CLEAR_TO_END = `${ESC}[0m${ESC}[K`;

/**
 * Up to this many unchanged cells are rewritten, because a cursor jump is
 * longer.
 */
const GAP_MAX = 4;

/**
 * Returns the shortest codes that turn `previous` into `next`; empty if they
 * are equal. Null, or another size, draws everything.
 */
export function diff(
  previous: Frame | null,
  next: Frame,
  depth: ColorDepth,
): string {
  const base = previous !== null && previous.columns === next.columns &&
      previous.rows === next.rows
    ? previous
    : null;
  if (base === next) return "";
  const pen = new Pen(next, depth);
  for (let row = 0; row < next.rows; row++) diffRow(base, pen, row);
  if (base === null) return `${CLEAR}${pen.codes}${RESET}`;
  return pen.codes === "" ? "" : `${pen.codes}${RESET}`;
}

type Cells = Frame["lines"][number];

function diffRow(base: Frame | null, pen: Pen, row: number): void {
  const next = pen.frame.lines[row];
  const before = base?.lines[row] ?? null;
  // Most rows did not change.
  if (next === undefined || next === before) return;
  const { columns } = pen.frame;
  const blankFrom = blankTail(next);
  let isSpoilt = false;
  let last = -1;
  for (let column = 0; column < blankFrom; column++) {
    if (!isSpoilt && !isChanged(before, next, column)) continue;
    if (next.text[column] === "") continue;
    const isNear = last >= 0 && column - last <= GAP_MAX;
    if (isNear) { for (let c = last + 1; c < column; c++) pen.write(row, c); }
    pen.write(row, column);
    last = column;
    // Terminals disagree on the width of a joined character, so whatever
    // follows one is drawn again at its proper place.
    isSpoilt ||= isJoined(next.text[column]) || isJoined(before?.text[column]);
  }
  for (let column = blankFrom; column < columns; column++) {
    if (!isSpoilt && !isChanged(before, next, column)) continue;
    pen.clearFrom(row, blankFrom);
    return;
  }
}

function isChanged(
  before: Cells | null,
  next: Cells,
  column: number,
): boolean {
  const text = before === null ? " " : before.text[column];
  const style = before === null ? 0 : before.style[column];
  return text !== next.text[column] || style !== next.style[column];
}

/** With more than one code point in a cell, the terminal guesses its width. */
function isJoined(text: string | undefined): boolean {
  return text !== undefined && text.length > 1 &&
    text.length > String.fromCodePoint(text.codePointAt(0) ?? 0).length;
}

/** Returns the first column from which on the row is blank and plain. */
function blankTail({ text, style }: Cells): number {
  let column = text.length;
  while (column > 0) {
    if (text[column - 1] !== " " || style[column - 1] !== 0) break;
    column--;
  }
  return column;
}

/** Collects the codes, and tracks the cursor's position and style. */
class Pen {
  readonly frame: Frame;
  readonly #depth: ColorDepth;
  readonly #parts: string[] = [];
  #row = -1;
  #column = -1;
  #style = "";

  constructor(frame: Frame, depth: ColorDepth) {
    this.frame = frame;
    this.#depth = depth;
  }

  get codes(): string {
    return this.#parts.join("");
  }

  write(row: number, column: number): void {
    const cells = this.frame.lines[row];
    const text = cells?.text[column] ?? " ";
    // The second cell of a wide character came with the first.
    if (text === "") return;
    this.#move(row, column);
    this.#setStyle(cells?.style[column] ?? 0);
    if (cells?.text[column + 1] !== "" || column + 1 === this.frame.columns) {
      this.#parts.push(text);
      this.#column = isJoined(text) ? -1 : column + 1;
      return;
    }
    // Both cells are blanked first: a terminal that draws the character in one
    // cell would leave old content in the other.
    this.#parts.push("  ");
    this.#column = column + 2;
    this.#move(row, column);
    this.#parts.push(text);
    this.#column = -1;
  }

  clearFrom(row: number, column: number): void {
    this.#move(row, column);
    this.#parts.push(CLEAR_TO_END);
    this.#style = RESET;
  }

  #move(row: number, column: number): void {
    if (row === this.#row && column === this.#column) return;
    this.#parts.push(
      row === this.#row
        ? `${ESC}[${column + 1}G`
        : `${ESC}[${row + 1};${column + 1}H`,
    );
    this.#row = row;
    this.#column = column;
  }

  #setStyle(style: number): void {
    const code = styleCode(style, this.#depth);
    if (code === this.#style) return;
    this.#parts.push(code);
    this.#style = code;
  }
}
