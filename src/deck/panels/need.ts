/**
 * Who needs a person, in a window too narrow for the tree. Pure.
 *
 * @module
 */

import { chipOf } from "../agent.ts";
import { type Line, lineWidth, type Span, span } from "../terminal/line.ts";
import type { Row, Scene, Section } from "../scene.ts";
import { agentName } from "./agent_row.ts";

export function needSection(scene: Scene): Section | null {
  const { agents, glyphs, columns } = scene;
  const needed = agents.filter(({ need }) => need !== null);
  if (needed.length === 0) return null;
  const lines: Span[][] = [[]];
  for (const agent of needed) {
    const line = lines.at(-1) ?? [];
    const chip = [
      span(` ${glyphs.needsYou} `, "bad"),
      span(`${agentName(agent)} ${chipOf(agent.status).text}  `),
    ];
    if (lineWidth([...line, ...chip]) <= columns) line.push(...chip);
    else lines.push(chip);
  }
  const rows = lines.map((line: Line): Row => ({
    key: null,
    line,
    search: "",
    rank: 0,
  }));
  return { pane: null, title: "need you", aside: [], rows };
}
