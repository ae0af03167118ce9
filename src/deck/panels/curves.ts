/**
 * The curves at the right of a wide screen.
 *
 * @module
 */

import type { Box } from "../layout.ts";
import type { Scene } from "../scene.ts";
import { type Line, span } from "../terminal/line.ts";

/** Returns the lines of the column of curves. */
export function curveLines(scene: Scene, box: Box): readonly Line[] {
  return [[span(scene.glyphs.rule.repeat(box.width), "dim")]];
}
