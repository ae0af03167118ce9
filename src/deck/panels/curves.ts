/**
 * The curves at the right of a wide screen: tokens a minute, cache hits, and
 * each window against its even pace over the last five hours.
 *
 * @module
 */

import type { CurvesView } from "../../control/protocol.ts";
import { countText, percentText } from "../../control/words.ts";
import { windowLengthMs } from "../../core/quota/quota.ts";
import type { Box } from "../layout.ts";
import type { Scene } from "../scene.ts";
import { cutInMiddle, widthOf } from "../terminal/grapheme.ts";
import {
  type Line,
  lineWidth,
  type Span,
  span,
  type Style,
} from "../terminal/line.ts";

const SPAN_MS = 5 * 60 * 60_000;

/** A curve has so many rows below its title, on a high and on a low screen. */
const TALL = 5;
const SHORT = 3;

/** One column of a curve; null is unknown. */
type Value = number | null;

interface Curve {
  readonly title: string;
  /** What stands at the other end of the title: the last value. */
  readonly last: string;
  /** From 0 to 1, oldest first, one a column. */
  readonly values: readonly Value[];
  /** Where an even spend was, in the same columns; absent: there is none. */
  readonly even?: readonly Value[];
  readonly style: (value: number, index: number) => Style;
}

/** Returns the lines of the column of curves. */
export function curveLines(scene: Scene, box: Box): readonly Line[] {
  const { curves } = scene.model;
  const { width, height } = box;
  if (curves === null) {
    return [
      titleLine(scene, { title: "curves", last: "", width }),
      [span(" the first minute is being counted", "dim")],
    ];
  }
  const all = [
    tokenCurve(curves, width),
    hitCurve(curves, width),
    ...windowCurves(curves, scene, width),
  ];
  // As many as fit; taller ones where there is room for all.
  const rows = all.length * (TALL + 1) <= height ? TALL : SHORT;
  return all.slice(0, Math.floor(height / (rows + 1)))
    .flatMap((curve) => drawn(curve, { scene, width, rows }));
}

/** Returns `count` values of `all`, the newest at the end. */
function columnsOf(
  all: readonly Value[],
  { count, perColumn, join }: {
    readonly count: number;
    readonly perColumn: number;
    readonly join: (values: readonly number[]) => number;
  },
): readonly Value[] {
  return Array.from({ length: count }, (_, index) => {
    const to = all.length - Math.round((count - 1 - index) * perColumn);
    const from = all.length - Math.round((count - index) * perColumn);
    const known = all.slice(Math.max(0, from), Math.max(0, to))
      .filter((value) => value !== null);
    return known.length === 0 ? null : join(known);
  });
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function perColumn({ stepMs }: CurvesView, width: number): number {
  return SPAN_MS / stepMs / width;
}

function tokenCurve(curves: CurvesView, width: number): Curve {
  const values = columnsOf(curves.tokens, {
    count: width,
    perColumn: perColumn(curves, width),
    join: mean,
  });
  const most = Math.max(1, ...values.map((value) => value ?? 0));
  return {
    title: "tokens a minute",
    last: `${countText(curves.tokens.at(-1) ?? 0)}, most ${countText(most)}`,
    values: values.map((value) => value === null ? null : value / most),
    style: () => "info",
  };
}

function hitCurve(curves: CurvesView, width: number): Curve {
  const last = curves.hits.findLast((hit) => hit !== null) ?? null;
  return {
    title: "cache hits",
    last: last === null ? "" : percentText(last),
    values: columnsOf(curves.hits, {
      count: width,
      perColumn: perColumn(curves, width),
      join: mean,
    }),
    style: (value) => value < 0.5 ? "careful" : "good",
  };
}

/** Returns each window that has been used, in the order of the accounts. */
function windowCurves(
  curves: CurvesView,
  { model }: Scene,
  width: number,
): readonly Curve[] {
  const each = perColumn(curves, width);
  const stepMs = SPAN_MS / width;
  return (model.status?.accounts ?? []).flatMap(({ label, windows }) =>
    windows.flatMap((window): readonly Curve[] => {
      const found = curves.windows.find((one) =>
        one.account === label && one.key === window.key
      );
      if (found === undefined) return [];
      const values = columnsOf(found.used, {
        count: width,
        perColumn: each,
        join: (known) => Math.max(...known),
      });
      const even = values.map((value, index) => {
        if (value === null || window.resetsAt === null) return null;
        const length = windowLengthMs(window.key);
        const at = model.now - (width - 1 - index) * stepMs;
        const part = 1 - (window.resetsAt.ms - at) / length;
        // Before the last reset it was the window before.
        return part - Math.floor(part);
      });
      return [{
        title: `${label} ${window.key}`,
        last: percentText(window.utilization),
        values,
        even,
        style: (value, index) =>
          value > (even[index] ?? 1) ? "careful" : "good",
      }];
    })
  );
}

function titleLine(
  { glyphs }: Scene,
  { title, last, width }: {
    readonly title: string;
    readonly last: string;
    readonly width: number;
  },
): Line {
  const end = last === "" ? "" : ` ${last} `;
  const room = width - 3 - widthOf(end);
  const name = ` ${cutInMiddle(title, Math.max(3, room - 2))} `;
  const rule = width - 1 - widthOf(name) - widthOf(end);
  return [
    span(glyphs.rule, "dim"),
    span(name, "title"),
    span(glyphs.rule.repeat(Math.max(0, rule)), "dim"),
    span(end),
  ];
}

/** Returns a title line and `rows` lines of columns, with the even pace in it. */
function drawn(
  { title, last, values, even, style }: Curve,
  { scene, width, rows }: {
    readonly scene: Scene;
    readonly width: number;
    readonly rows: number;
  },
): readonly Line[] {
  const parts = scene.glyphs.columnParts;
  const steps = parts.length;
  const lines = Array.from({ length: rows }, (_, row): Line => {
    const floor = (rows - 1 - row) * steps;
    const line: Span[] = [];
    values.forEach((value, index) => {
      const pace = even?.[index] ?? null;
      const paceRow = pace === null
        ? -1
        : rows - 1 - Math.min(rows - 1, Math.floor(pace * rows));
      const filled = value === null
        ? 0
        : Math.round(Math.min(1, value) * rows * steps) - floor;
      // Something is never drawn as nothing.
      const least = value !== null && value > 0 && row === rows - 1 ? 1 : 0;
      const part = Math.max(least, Math.min(steps, filled));
      if (part > 0) {
        line.push(span(parts[part - 1] ?? "#", style(value ?? 0, index)));
      } else if (row === paceRow) {
        line.push(span(scene.glyphs.curvePace, "strong"));
      } else line.push(span(" "));
    });
    return line;
  });
  return [
    titleLine(scene, { title, last, width }),
    ...lines.filter((line) => lineWidth(line) <= width),
  ];
}
