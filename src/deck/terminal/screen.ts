/**
 * Puts models on a terminal: at most ten frames a second, only what changed,
 * and no byte while nothing does.
 *
 * @module
 */

import type { Clock } from "../../ports.ts";
import { diff } from "./diff.ts";
import type { Frame } from "./frame.ts";
import type { Model } from "../model.ts";
import type { DeckTerminal } from "./terminal.ts";
import type { ColorDepth } from "./theme.ts";
import { view } from "../view.ts";

/** Ten frames a second at most. */
const FRAME_MS = 100;

const SYNC_BEGIN = "\u001b[?2026h";
const SYNC_END = "\u001b[?2026l";

const BELL = "\u0007";

export interface ScreenOptions {
  readonly terminal: DeckTerminal;
  readonly depth: ColorDepth;
  readonly clock: Clock;
  /** Told when the terminal cannot be written any more. */
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

  /** Shows `model` now, or as soon as the next frame is due. */
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

  /** Draws everything again, whatever stands on the terminal. */
  redraw(): void {
    this.#shown = null;
    this.#drawnMs = -Infinity;
    if (this.#model !== null) this.show(this.#model);
  }

  /** Rings the terminal's bell. */
  ring(): void {
    if (!this.#isPaused) this.#write(BELL);
  }

  /** While somebody else has the terminal. */
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
    const frame = view(this.#model);
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
