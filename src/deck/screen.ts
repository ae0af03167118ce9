/**
 * Puts models on a terminal: at most ten frames a second, only what changed,
 * and no byte while nothing does.
 *
 * @module
 */

import { diff } from "./diff.ts";
import type { Frame } from "./frame.ts";
import type { Model } from "./model.ts";
import type { DeckTerminal } from "./terminal.ts";
import type { ColorDepth } from "./theme.ts";
import { view } from "./view.ts";

/** Ten frames a second at most. */
const FRAME_MS = 100;

const SYNC_BEGIN = "\u001b[?2026h";
const SYNC_END = "\u001b[?2026l";

export interface ScreenOptions {
  readonly terminal: DeckTerminal;
  readonly depth: ColorDepth;
  readonly monotonicMs: () => number;
  /** Told when the terminal cannot be written any more. */
  readonly onLost: () => void;
}

export class Screen {
  readonly #options: ScreenOptions;
  #shown: Frame | null = null;
  #model: Model | null = null;
  #drawnMs = -Infinity;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #isPaused = false;

  constructor(options: ScreenOptions) {
    this.#options = options;
  }

  /** Shows `model` now, or as soon as the next frame is due. */
  show(model: Model): void {
    this.#model = model;
    if (this.#timer !== null || this.#isPaused) return;
    const waitMs = this.#drawnMs + FRAME_MS - this.#options.monotonicMs();
    if (waitMs <= 0) return this.#draw();
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#draw();
    }, waitMs);
  }

  /** Draws everything again, whatever stands on the terminal. */
  redraw(): void {
    this.#shown = null;
    this.#drawnMs = -Infinity;
    if (this.#model !== null) this.show(this.#model);
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
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #draw(): void {
    if (this.#model === null || this.#isPaused) return;
    const { terminal, depth, monotonicMs, onLost } = this.#options;
    this.#drawnMs = monotonicMs();
    const frame = view(this.#model);
    const codes = diff(this.#shown, frame, depth);
    this.#shown = frame;
    if (codes === "") return;
    try {
      terminal.write(`${SYNC_BEGIN}${codes}${SYNC_END}`);
    } catch {
      // The terminal hung up.
      onLost();
    }
  }
}
