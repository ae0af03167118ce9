/**
 * The Deck as plain text without a cursor, for `tc watch --plain`, screen
 * readers and pipes.
 *
 * @module
 */

import { inert } from "../../control/words.ts";
import { fit, lineText } from "./line.ts";
import type { Model } from "../model.ts";
import { headerLines } from "../panels/header.ts";
import { sceneOf } from "../scene.ts";
import { sectionsOf } from "../view.ts";

/** Rows of a list that are printed; the rest is only counted. */
const ROWS_MAX = 40;
const ACTIVITY_MAX = 5;

/** Returns everything that the model shows, in as many lines as needed. */
export function plainText(model: Model): string {
  const scene = sceneOf(model);
  const lines = headerLines(scene).map(lineText);
  for (const { title, rows, pane } of sectionsOf(scene)) {
    const max = pane === "activity" ? ACTIVITY_MAX : ROWS_MAX;
    lines.push("", title);
    for (const row of rows.slice(0, max)) {
      const [first = []] = row.lines;
      lines.push(lineText(fit(first, scene.columns)));
    }
    if (rows.length > max) lines.push(`   ${rows.length - max} more`);
  }
  // A name from outside must not reach the terminal unchanged.
  return `${lines.map((line) => inert(line).trimEnd()).join("\n")}\n`;
}
