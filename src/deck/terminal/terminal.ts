/**
 * The terminal of this process: raw keys, a screen of its own, and the old
 * state restored on every way out.
 *
 * @module
 */

import type { Size } from "./frame.ts";
import type { System } from "../../variables.ts";

/** The terminal as the program uses it; tests supply their own. */
export interface DeckTerminal {
  size(): Size;
  /** Takes the screen and the keys; does nothing if it has them. */
  enter(): void;
  /** Restores both; does nothing if it does not have them. */
  leave(): void;
  /** Throws if the terminal is gone. */
  write(text: string): void;
  /** Returns the next bytes of the keyboard; null if the terminal is gone. */
  read(): Promise<Uint8Array | null>;
  /** Returns a function that removes the listener. */
  onResize(listener: () => void): () => void;
  /** Stops the process until the shell resumes it. */
  suspend(): void;
  /** Leaves, and gives up a pending read; nothing may follow. */
  close(): void;
}

const ESC = "\u001b";

/** Presses of the mouse, reported with cells beyond 223. */
const MOUSE_ON = `${ESC}[?1000h${ESC}[?1006h`;
const MOUSE_OFF = `${ESC}[?1006l${ESC}[?1000l`;

/** Own screen, no cursor, no wrapping at the margin. */
const ENTER = `${ESC}[?1049h${ESC}[?25l${ESC}[?7l${MOUSE_ON}${ESC}[0m${ESC}[2J`;

/** Ends a synchronized update that a crash may have left open. */
const LEAVE =
  `${ESC}[?2026l${MOUSE_OFF}${ESC}[0m${ESC}[?7h${ESC}[?25h${ESC}[?1049l`;

const READ_BYTES = 1_024;
const FALLBACK: Size = { columns: 80, rows: 24 };
const SIZE_MAX = 1_000;

/** Returns the real terminal: stdin and stdout of this process. */
export function systemTerminal(system: System): DeckTerminal {
  return new SystemTerminal(system);
}

class SystemTerminal implements DeckTerminal {
  readonly #system: System;
  readonly #encoder = new TextEncoder();
  #isEntered = false;
  #isReading = false;
  /** Runs when the process ends, however that happens. */
  readonly #restore = (): void => this.leave();

  constructor(system: System) {
    this.#system = system;
  }

  size(): Size {
    try {
      const { columns, rows } = Deno.consoleSize();
      if (columns < 1 || rows < 1) return FALLBACK;
      return {
        columns: Math.min(SIZE_MAX, columns),
        rows: Math.min(SIZE_MAX, rows),
      };
    } catch {
      // There is no terminal to ask: the usual size.
      return FALLBACK;
    }
  }

  enter(): void {
    if (this.#isEntered) return;
    this.#isEntered = true;
    for (const event of LAST_EVENTS) addEventListener(event, this.#restore);
    Deno.stdin.setRaw(true);
    this.write(ENTER);
  }

  leave(): void {
    if (!this.#isEntered) return;
    this.#isEntered = false;
    for (const event of LAST_EVENTS) removeEventListener(event, this.#restore);
    try {
      this.write(LEAVE);
      Deno.stdin.setRaw(false);
    } catch {
      // The terminal is gone: there is nothing to restore.
    }
  }

  write(text: string): void {
    let bytes = this.#encoder.encode(text);
    while (bytes.length > 0) {
      bytes = bytes.subarray(Deno.stdout.writeSync(bytes));
    }
  }

  async read(): Promise<Uint8Array | null> {
    const bytes = new Uint8Array(READ_BYTES);
    this.#isReading = true;
    try {
      const count = await Deno.stdin.read(bytes);
      return count === null ? null : bytes.subarray(0, count);
    } catch {
      // A terminal that hung up cannot be read.
      return null;
    } finally {
      this.#isReading = false;
    }
  }

  close(): void {
    this.leave();
    // Nothing else ends a pending read, which would keep the process alive.
    if (this.#isReading) Deno.stdin.close();
  }

  onResize(listener: () => void): () => void {
    if (this.#system === "windows") {
      const timer = setInterval(listener, WINDOWS_LOOK_MS);
      return () => clearInterval(timer);
    }
    Deno.addSignalListener("SIGWINCH", listener);
    return () => Deno.removeSignalListener("SIGWINCH", listener);
  }

  suspend(): void {
    if (this.#system === "windows") return;
    this.leave();
    Deno.kill(Deno.pid, "SIGTSTP");
    this.enter();
  }
}

/** How often the size is read on Windows, which has no signal for it. */
const WINDOWS_LOOK_MS = 500;

const LAST_EVENTS = ["unload", "error", "unhandledrejection"] as const;
