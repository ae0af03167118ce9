/**
 * The terminal of this process: raw keys, a screen of its own, and everything
 * as it was before on every way out.
 *
 * @module
 */

import type { Size } from "./frame.ts";

/** The terminal as the program drives it; tests make their own. */
export interface DeckTerminal {
  size(): Size;
  /** Takes the screen and the keys; harmless while it has them. */
  enter(): void;
  /** Gives both back as they were; harmless while it has none. */
  leave(): void;
  /** Throws where the terminal is gone. */
  write(text: string): void;
  /** The next bytes of the keyboard; null when the terminal is gone. */
  read(): Promise<Uint8Array | null>;
  /** Returns the function that takes the listener off again. */
  onResize(listener: () => void): () => void;
  /** Stops the process until the shell brings it back. */
  suspend(): void;
  /** Leaves, and gives up the read that still waits: nothing follows. */
  close(): void;
}

const ESC = "\u001b";

/** Own screen, no cursor, no wrapping at the margin. */
const ENTER = `${ESC}[?1049h${ESC}[?25l${ESC}[?7l${ESC}[0m${ESC}[2J`;

/** Ends a synchronized update that a crash may have left open. */
const LEAVE = `${ESC}[?2026l${ESC}[0m${ESC}[?7h${ESC}[?25h${ESC}[?1049l`;

const READ_BYTES = 1_024;
const FALLBACK: Size = { columns: 80, rows: 24 };
const SIZE_MAX = 1_000;

/** The real one: stdin and stdout of this process. */
export function systemTerminal(): DeckTerminal {
  return new SystemTerminal();
}

class SystemTerminal implements DeckTerminal {
  readonly #encoder = new TextEncoder();
  #isEntered = false;
  #isReading = false;
  /** Runs at the end of the process, however it comes. */
  readonly #restore = (): void => this.leave();

  size(): Size {
    try {
      const { columns, rows } = Deno.consoleSize();
      if (columns < 1 || rows < 1) return FALLBACK;
      return {
        columns: Math.min(SIZE_MAX, columns),
        rows: Math.min(SIZE_MAX, rows),
      };
    } catch {
      // No terminal to ask: the usual size.
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
      // The terminal is gone: there is nothing to give back.
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
    // Nothing else ends a read that waits, and it would keep the process.
    if (this.#isReading) Deno.stdin.close();
  }

  onResize(listener: () => void): () => void {
    if (Deno.build.os === "windows") {
      const timer = setInterval(listener, WINDOWS_LOOK_MS);
      return () => clearInterval(timer);
    }
    Deno.addSignalListener("SIGWINCH", listener);
    return () => Deno.removeSignalListener("SIGWINCH", listener);
  }

  suspend(): void {
    if (Deno.build.os === "windows") return;
    this.leave();
    Deno.kill(Deno.pid, "SIGTSTP");
    this.enter();
  }
}

/** Windows has no signal for a new size. */
const WINDOWS_LOOK_MS = 500;

const LAST_EVENTS = ["unload", "error", "unhandledrejection"] as const;
