/**
 * The rule over a section, with its title. Pure.
 *
 * @module
 */

import { type Line, lineWidth, type Span, span } from "../terminal/line.ts";
import type { Scene, Section } from "../scene.ts";

/** Cells of rule before a title on the left, and after one on the right. */
const LEAD = 2;

/** From 120 columns on the title stands at the right end, else at the left. */
export function ruleLine(
  scene: Scene,
  section: Section,
  hidden: number,
): Line {
  const { glyphs, columns, model } = scene;
  const isHere = section.pane === model.pane && model.selected !== null;
  const more = hidden > 0 ? ` ${glyphs.dot} ${hidden} more` : "";
  const title = span(
    ` ${section.title}${more} `,
    isHere ? "strong" : "title",
  );
  if (scene.breadth === "full") {
    return [
      rule(scene, columns - lineWidth([title]) - 1),
      title,
      rule(scene, 1),
    ];
  }
  const aside: Line = section.aside.length === 0
    ? []
    : [span(" "), ...section.aside];
  const room = columns - LEAD - lineWidth([title]) - lineWidth(aside);
  if (room < LEAD) {
    return [
      rule(scene, LEAD),
      title,
      rule(scene, columns - LEAD - lineWidth([title])),
    ];
  }
  return [rule(scene, LEAD), title, rule(scene, room), ...aside];
}

function rule({ glyphs }: Scene, width: number): Span {
  return span(glyphs.rule.repeat(Math.max(0, width)), "dim");
}
