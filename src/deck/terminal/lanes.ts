/**
 * Rows whose fields stand in columns: where there is no room for all, whole
 * columns are left out, the least important first, so that no figure is cut.
 *
 * @module
 */

import { type Line, lineWidth, type Span, span } from "./line.ts";

/** One column of a list. */
export interface Lane {
  readonly key: string;
  /** Width in cells; of the last lane, if it `grows`, the least width. */
  readonly width: number;
  /** The lowest is left out first; Infinity is never left out. */
  readonly worth: number;
  readonly isRight?: boolean;
  /** Takes the width that is left. */
  readonly grows?: boolean;
  /** Blanks before it; 2 if absent. */
  readonly gap?: number;
}

const GAP = 2;

/** Returns the lanes that fit `width` cells together, in their order. */
export function lanesFor(
  lanes: readonly Lane[],
  width: number,
): readonly Lane[] {
  let kept = lanes.filter((lane) => lane.width > 0);
  while (totalWidth(kept) > width) {
    const least = kept.reduce<Lane | null>(
      (low, lane) => low === null || lane.worth < low.worth ? lane : low,
      null,
    );
    if (least === null || least.worth === Infinity) break;
    kept = kept.filter((lane) => lane !== least);
  }
  // A wide lane that went may leave room for one that went before it.
  const gone = lanes.filter((lane) => lane.width > 0 && !kept.includes(lane))
    .sort((a, b) => b.worth - a.worth);
  for (const lane of gone) {
    const more = lanes.filter((one) => one === lane || kept.includes(one));
    if (totalWidth(more) <= width) kept = more;
  }
  const growing = kept.filter(({ grows }) => grows).length;
  if (growing === 0) return kept;
  const spare = Math.max(0, width - totalWidth(kept));
  const each = Math.floor(spare / growing);
  return kept.map((lane) =>
    lane.grows ? { ...lane, width: lane.width + each } : lane
  );
}

function totalWidth(lanes: readonly Lane[]): number {
  return lanes.reduce(
    (sum, { width, gap = GAP }, index) => sum + width + (index > 0 ? gap : 0),
    0,
  );
}

/** Returns the width of one lane; 0 if it was left out. */
export function laneWidth(lanes: readonly Lane[], key: string): number {
  return lanes.find((lane) => lane.key === key)?.width ?? 0;
}

/**
 * Returns the cells of a row in its lanes. A cell that is wider than its lane
 * is left out, because half a figure is a wrong figure.
 */
export function inLanes(
  cells: Readonly<Record<string, Line>>,
  lanes: readonly Lane[],
): Line {
  const line: Span[] = [];
  lanes.forEach(({ key, width, isRight = false, gap = GAP }, index) => {
    const cell = cells[key] ?? [];
    const own = lineWidth(cell);
    const shown = own <= width ? cell : [];
    const rest = span(" ".repeat(width - (own <= width ? own : 0)));
    if (index > 0 && gap > 0) line.push(span(" ".repeat(gap)));
    line.push(...(isRight ? [rest, ...shown] : [...shown, rest]));
  });
  return line;
}
