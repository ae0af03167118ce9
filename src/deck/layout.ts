/**
 * The boxes of the screen. They depend on its size alone, so that they stand
 * still whatever the pool does.
 *
 * @module
 */

import type { Size } from "./terminal/frame.ts";

/** A list's place on the screen; `height` includes its title line. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly width: number;
  readonly height: number;
}

export type BoxName = "agents" | "accounts" | "live" | "activity" | "curves";

/** Where everything stands at one size. */
export interface Layout {
  /** Lines that the header always takes, notices included. */
  readonly header: number;
  /** Lines for what needs a person; 0: a notice takes the last header line. */
  readonly notices: number;
  readonly boxes: ReadonlyMap<BoxName, Box>;
}

/** From this many columns on there is a column of curves. */
const CURVES_FROM = 160;
const MAIN_MIN = 119;
const CURVES_MAX = 72;

/** Rows from which notices have a line of their own. */
const NOTICE_ROWS = 20;

interface Share {
  readonly name: Exclude<BoxName, "curves">;
  /** Least rows of content; without them the box is left out. */
  readonly min: number;
  /** Its part of the rows that are left. */
  readonly weight: number;
}

/** The most important box first; the others come as there is room. */
const SHARES: readonly Share[] = [
  { name: "accounts", min: 3, weight: 9 },
  { name: "activity", min: 2, weight: 8 },
  { name: "agents", min: 2, weight: 9 },
  { name: "live", min: 2, weight: 4 },
];

/** Top to bottom, as they are drawn. */
const ORDER: readonly Share["name"][] = [
  "agents",
  "accounts",
  "live",
  "activity",
];

/** Returns the boxes of a screen of `size`. */
export function layoutOf({ columns, rows }: Size): Layout {
  const notices = rows < NOTICE_ROWS ? 0 : 1;
  const header = 2 + notices;
  const room = Math.max(0, rows - header - 1);
  const hasCurves = columns >= CURVES_FROM;
  const side = hasCurves ? Math.min(CURVES_MAX, columns - MAIN_MIN - 1) : 0;
  const width = hasCurves ? columns - side - 1 : columns;
  const heights = heightsOf(room);
  const boxes = new Map<BoxName, Box>();
  let top = header;
  for (const name of ORDER) {
    const height = heights.get(name);
    if (height === undefined) continue;
    boxes.set(name, { top, left: 0, width, height });
    top += height;
  }
  if (hasCurves) {
    const left = columns - side;
    boxes.set("curves", { top: header, left, width: side, height: room });
  }
  return { header, notices, boxes };
}

function heightsOf(room: number): ReadonlyMap<Share["name"], number> {
  const shown: Share[] = [];
  let left = room;
  for (const share of SHARES) {
    if (left < share.min + 1) continue;
    shown.push(share);
    left -= share.min + 1;
  }
  const total = shown.reduce((sum, { weight }) => sum + weight, 0);
  let spent = 0;
  let passed = 0;
  return new Map(shown.map(({ name, min, weight }) => {
    // Rounded over the sum, so that no row is lost.
    passed += weight;
    const upTo = Math.round(left * passed / total);
    const more = upTo - spent;
    spent = upTo;
    return [name, 1 + min + more];
  }));
}
