/** A terminal in memory, to see what a person would see. */

import xterm from "@xterm/headless";
import { ok, strictEqual } from "node:assert/strict";
import type { Frame } from "../../src/deck/terminal/frame.ts";
import { widthOf } from "../../src/deck/terminal/grapheme.ts";

/** How wide the emulator holds emojis to be: as we do, or as an old one. */
export type Widths = "agreeing" | "old";

export class Emulator {
  readonly #terminal: InstanceType<typeof xterm.Terminal>;

  constructor(columns: number, rows: number, widths: Widths) {
    this.#terminal = new xterm.Terminal({
      cols: columns,
      rows,
      allowProposedApi: true,
      scrollback: 0,
    });
    if (widths === "old") return;
    const wcwidth = (code: number): 0 | 1 | 2 => {
      if (code < 0x20) return 0;
      const width = widthOf(String.fromCodePoint(code));
      return width === 0 ? 0 : width === 1 ? 1 : 2;
    };
    this.#terminal.unicode.register({
      version: "tc",
      wcwidth,
      charProperties: (code, preceding) => {
        const width = wcwidth(code);
        const isJoined = width === 0 && preceding !== 0;
        const kept = isJoined ? (preceding >> 1) & 3 : width;
        return (kept << 1) | (isJoined ? 1 : 0);
      },
    });
    this.#terminal.unicode.activeVersion = "tc";
  }

  write(text: string): Promise<void> {
    return new Promise((resolve) => this.#terminal.write(text, resolve));
  }

  resize(columns: number, rows: number): void {
    this.#terminal.resize(columns, rows);
  }

  text(): readonly string[] {
    const { active } = this.#terminal.buffer;
    return Array.from(
      { length: this.#terminal.rows },
      (_, row) => active.getLine(row)?.translateToString(true) ?? "",
    );
  }

  /**
   * Asserts that every cell shows what the frame says. Of a character that is
   * joined from several the emulator's own cell may hold a part alone.
   */
  assertShows(frame: Frame, step: string): void {
    const { active } = this.#terminal.buffer;
    for (let row = 0; row < frame.rows; row++) {
      const line = active.getLine(row);
      for (let column = 0; column < frame.columns; column++) {
        const wanted = frame.text[row * frame.columns + column] ?? " ";
        const shown = line?.getCell(column)?.getChars() || " ";
        if (wanted === "") {
          const owner = frame.text[row * frame.columns + column - 1] ?? "";
          const isJoined = [...owner].length > 1;
          // What stood there before must not show beside a narrow emoji.
          ok(isJoined || shown === " ", `${step}: ${shown} beside ${owner}`);
          continue;
        }
        const first = String.fromCodePoint(wanted.codePointAt(0) ?? 0);
        const where = `${step}, row ${row}, column ${column}`;
        if (wanted.length === first.length) strictEqual(shown, wanted, where);
        else ok(shown.startsWith(first), `${where}: ${shown} for ${wanted}`);
      }
    }
  }

  isReversed(row: number, column: number): boolean {
    const cell = this.#terminal.buffer.active.getLine(row)?.getCell(column);
    return (cell?.isInverse() ?? 0) !== 0;
  }
}
