/**
 * The part of the time that the charts of Quota show: chosen by dragging over a
 * chart, or by buttons.
 *
 * @module
 */

/** @jsxImportSource preact */
/// <reference lib="dom" />

import { type Signal, useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { clockText } from "../control/words.ts";

/** Start and end in epoch milliseconds. */
export interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A shorter span would hold fewer than three figures, one every five minutes. */
const SHORTEST_MS = 15 * 60_000;
/** A shorter drag, as a share of the chart's width, counts as a click. */
const DRAG_MIN = 0.02;

/** Returns the part of `whole` that is as long as possible, and not empty. */
function within({ fromMs, untilMs }: Span, whole: Span): Span {
  const lengthMs = Math.min(
    whole.untilMs - whole.fromMs,
    Math.max(SHORTEST_MS, untilMs - fromMs),
  );
  const start = Math.min(
    Math.max(fromMs, whole.fromMs),
    whole.untilMs - lengthMs,
  );
  return { fromMs: start, untilMs: start + lengthMs };
}

/** Buttons for what dragging does, and what is shown now. */
export function ZoomBar(
  { zoom, whole, now }: {
    /** Null shows all of `whole`. */
    readonly zoom: Signal<Span | null>;
    readonly whole: Span;
    readonly now: number;
  },
): VNode {
  const shown = zoom.value ?? whole;
  const lengthMs = shown.untilMs - shown.fromMs;
  const middle = shown.fromMs + lengthMs / 2;
  const isAll = zoom.value === null;
  const set = (center: number, wantedMs: number) => {
    const next = within({
      fromMs: center - wantedMs / 2,
      untilMs: center + wantedMs / 2,
    }, whole);
    const isWhole = next.untilMs - next.fromMs >= whole.untilMs - whole.fromMs;
    zoom.value = isWhole ? null : next;
  };
  return (
    <p class="zoom" role="group" aria-label="Time shown">
      <button
        type="button"
        disabled={lengthMs <= SHORTEST_MS}
        onClick={() => set(middle, lengthMs / 2)}
      >
        Zoom in
      </button>
      <button
        type="button"
        disabled={isAll}
        onClick={() => set(middle, lengthMs * 2)}
      >
        Zoom out
      </button>
      <button
        type="button"
        disabled={isAll || shown.fromMs <= whole.fromMs}
        onClick={() => set(middle - lengthMs / 2, lengthMs)}
      >
        Earlier
      </button>
      <button
        type="button"
        disabled={isAll || shown.untilMs >= whole.untilMs}
        onClick={() => set(middle + lengthMs / 2, lengthMs)}
      >
        Later
      </button>
      <button
        type="button"
        disabled={isAll}
        onClick={() => zoom.value = null}
      >
        All
      </button>
      <output>
        {clockText(shown.fromMs, now)} to{" "}
        {shown.untilMs === now ? "now" : clockText(shown.untilMs, now)}
        {isAll ? "; drag over a chart to zoom" : ""}
      </output>
    </p>
  );
}

/** A drag over a chart, as shares of its width. */
interface Brush {
  /** Where the pointer is; null: not over the chart. */
  readonly cursor: Signal<number | null>;
  /** What is marked until the button is let go; null: no drag. */
  readonly marked: readonly [from: number, to: number] | null;
  /** Handlers for the chart. */
  readonly handlers: {
    onPointerDown(event: PointerEvent & Over): void;
    onPointerMove(event: PointerEvent & Over): void;
    onPointerUp(event: PointerEvent & Over): void;
    onPointerLeave(): void;
    onPointerCancel(): void;
  };
}

interface Over {
  readonly currentTarget: SVGSVGElement;
}

/** Sets `zoom` to what is dragged over, within `shown`. */
export function useBrush(
  zoom: Signal<Span | null>,
  shown: Span,
  whole: Span,
): Brush {
  const cursor = useSignal<number | null>(null);
  const start = useSignal<number | null>(null);
  const shareOf = (event: PointerEvent & Over) => {
    const box = event.currentTarget.getBoundingClientRect();
    const share = (event.clientX - box.left) / Math.max(1, box.width);
    return Math.min(1, Math.max(0, share));
  };
  const ends = () => {
    start.value = null;
    cursor.value = null;
  };
  const from = start.value;
  const to = cursor.value;
  return {
    cursor,
    marked: from === null || to === null
      ? null
      : [Math.min(from, to), Math.max(from, to)],
    handlers: {
      onPointerDown(event) {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        start.value = shareOf(event);
        cursor.value = start.value;
      },
      onPointerMove(event) {
        cursor.value = shareOf(event);
      },
      onPointerUp(event) {
        const first = start.value;
        start.value = null;
        if (first === null) return;
        const last = shareOf(event);
        if (Math.abs(last - first) < DRAG_MIN) return;
        const at = (share: number) =>
          shown.fromMs + share * (shown.untilMs - shown.fromMs);
        zoom.value = within({
          fromMs: at(Math.min(first, last)),
          untilMs: at(Math.max(first, last)),
        }, whole);
      },
      onPointerLeave() {
        if (start.value === null) cursor.value = null;
      },
      onPointerCancel: ends,
    },
  };
}
