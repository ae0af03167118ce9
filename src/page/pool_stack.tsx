/**
 * The pool of Quota in one picture: how much of all plans together was used.
 *
 * @module
 */

/** @jsxImportSource preact */
/// <reference lib="dom" />

import type { Signal } from "@preact/signals";
import type { VNode } from "preact";
import {
  planSize,
  quotaAt,
  type QuotaCurveView,
  type QuotaView,
} from "../control/history/quota_view.ts";
import type { StatusView } from "../control/protocol.ts";
import { percentText } from "../control/words.ts";
import { type Span, useBrush } from "./zoom.tsx";

/** Points of the picture; a step is a few pixels. */
const STEPS = 240;
/** So many accounts get a colour of their own; the others share one. */
const COLOURS = 7;

/** One colour of the picture. */
interface Layer {
  readonly name: string;
  readonly look: string;
  /** By step, its part of the whole pool; null before the first figure. */
  readonly shares: readonly (number | null)[];
}

/** The pool's use of one kind of window, an account a layer. */
export function PoolStack(
  { window, view, status, zoom, whole }: {
    readonly window: string;
    readonly view: QuotaView;
    readonly status: StatusView;
    readonly zoom: Signal<Span | null>;
    /** It ends now: there is no use to come. */
    readonly whole: Span;
  },
): VNode {
  const shown = zoom.value ?? whole;
  const { fromMs, untilMs } = shown;
  const { marked, handlers } = useBrush(zoom, shown, whole);
  const times = Array.from(
    { length: STEPS + 1 },
    (_, step) => fromMs + (untilMs - fromMs) * step / STEPS,
  );
  const layers = layersOf(view, status, { window, times });
  const sums = times.map((_, at) =>
    layers.reduce((sum, { shares }) => sum + (shares[at] ?? 0), 0)
  );
  const mean = sums.reduce((sum, one) => sum + one, 0) / sums.length;
  const last = sums.at(-1) ?? 0;
  let below = times.map(() => 0);
  return (
    <section class="quota" aria-label={`The pool's ${window} windows`}>
      <h3>
        {window} windows of the pool <small>{percentText(last)} used</small>
      </h3>
      <svg
        class="stack"
        viewBox={`0 0 ${STEPS} 100`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${window}: on average ${
          percentText(mean)
        } of all plans together was used, ${percentText(last)} at the end`}
        {...handlers}
      >
        {layers.map(({ name, look, shares }) => {
          const base = below;
          below = base.map((under, at) => under + (shares[at] ?? 0));
          return (
            <path key={name} class={look} d={areaOf(base, below)}>
              <title>{name}</title>
            </path>
          );
        })}
        {[0.25, 0.5, 0.75].map((share) => (
          <line
            key={share}
            class="grid"
            x1="0"
            x2={STEPS}
            y1={100 - share * 100}
            y2={100 - share * 100}
          />
        ))}
        {marked === null ? null : (
          <rect
            class="marked"
            x={marked[0] * STEPS}
            width={(marked[1] - marked[0]) * STEPS}
            height="100"
          />
        )}
      </svg>
      <ul class="key">
        {layers.map(({ name, look, shares }) => (
          <li key={name}>
            <svg class="swatch" viewBox="0 0 1 1" aria-hidden="true">
              <rect class={look} width="1" height="1" />
            </svg>{" "}
            {name} {percentText(shares.at(-1) ?? null)}
          </li>
        ))}
        <li>unused {percentText(Math.max(0, 1 - last))}</li>
      </ul>
    </section>
  );
}

function areaOf(
  lower: readonly number[],
  upper: readonly number[],
): string {
  const point = (share: number, at: number) =>
    `${at} ${(100 - 100 * Math.min(1, share)).toFixed(2)}`;
  const there = upper.map(point);
  const back = lower.map(point).reverse();
  return `M${[...there, ...back].join("L")}Z`;
}

function layersOf(
  { accounts }: QuotaView,
  status: StatusView,
  { window, times }: {
    readonly window: string;
    readonly times: readonly number[];
  },
): readonly Layer[] {
  const own = accounts.flatMap(({ id, label, curves }) => {
    const curve = curves.find((one) => one.window === window);
    const tier = status.accounts.find((one) => one.id === id)?.tier ??
      "unknown";
    return curve === undefined ? [] : [{ label, curve, size: planSize(tier) }];
  });
  const all = own.reduce((sum, { size }) => sum + size, 0);
  const sharesOf = (curve: QuotaCurveView, size: number) =>
    times.map((at) => {
      const value = quotaAt(curve, at);
      return value === null ? null : Math.min(1, value) * size / all;
    });
  const layers = own.toSorted((a, b) => b.size - a.size)
    .map(({ label, curve, size }, at) => ({
      name: label,
      look: `part${at}`,
      shares: sharesOf(curve, size),
    }));
  const rest = layers.slice(COLOURS);
  if (rest.length === 0) return layers;
  return [...layers.slice(0, COLOURS), {
    name: `${rest.length} others`,
    look: "rest",
    shares: times.map((_, at) =>
      rest.reduce((sum, { shares }) => sum + (shares[at] ?? 0), 0)
    ),
  }];
}
