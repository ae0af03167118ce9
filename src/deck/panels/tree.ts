/**
 * Draws the tree of orchestration, and lists who needs a person where the
 * window is too narrow for the tree.
 *
 * @module
 */

import { countText, moneyText } from "../../control/words.ts";
import { plural } from "../figures.ts";
import { type Line, lineWidth, type Span, span } from "../terminal/line.ts";
import { filtered, type Row, type Scene, type Section } from "../scene.ts";
import type { Glyphs } from "../terminal/theme.ts";
import { type Forest, type TreeRow, treeRows } from "../tree.ts";
import { agentName, agentRow } from "./agent_row.ts";
import { chipOf } from "../agent.ts";

/** A row deeper than this shows its level instead of drawing every line. */
const DRAWN_LEVELS = 4;

/** Most levels in the summary. */
const LEVELS_MAX = 6;

export function treeSection(scene: Scene): Section | null {
  const { forest, glyphs, model } = scene;
  if (forest.roots.length === 0) return null;
  const rows = filtered(
    treeRows(forest).map((row) => drawn(row, scene)),
    model,
  );
  const { tokens, cost, agents } = forest.total;
  const price = moneyText(cost);
  const title = [
    forest.roots.length > 1 ? `${forest.roots.length} trees` : "tree",
    ...(scene.breadth === "full" ? [plural(agents, "node")] : []),
    countText(tokens),
    ...(price === "" ? [] : [price]),
  ].join(` ${glyphs.dot} `);
  const levels = levelLine(forest, scene);
  if (scene.breadth !== "full") {
    return { pane: "tree", title, aside: levels, rows };
  }
  const room = scene.columns - lineWidth(levels) - 1;
  const line = [span(" ".repeat(Math.max(0, room))), ...levels];
  const summary: Row = { key: null, line, search: "", rank: 2 };
  return { pane: "tree", title, aside: [], rows: [summary, ...rows] };
}

/** Returns `L0 1·10k   L1 2·8k`, or `L0 10k` with less room. */
function levelLine({ levels }: Forest, scene: Scene): Line {
  const { glyphs, breadth } = scene;
  if (breadth === "narrow" || breadth === "small") return [];
  const isFull = breadth === "full";
  const parts = levels.slice(0, LEVELS_MAX).map(({ agents, tokens }, depth) => {
    const count = isFull ? `${agents}${glyphs.dot}` : "";
    return `L${depth} ${count}${countText(tokens)}`;
  });
  const rest = levels.length > LEVELS_MAX ? [glyphs.more] : [];
  const text = [...parts, ...rest].join(isFull ? "   " : "  ");
  return [span(isFull ? `levels  ${text}` : text, "dim")];
}

function drawn(row: TreeRow, scene: Scene): Row {
  const { glyphs } = scene;
  return agentRow(row.agent, scene, {
    prefix: connectors(row.trail, glyphs),
    glyph: row.isLead ? glyphs.lead : glyphs.child,
    sum: row.hasSum ? row.node.sum : null,
    rank: row.isLead || row.agent.need !== null ? 0 : 1,
  });
}

/**
 * Returns the lines that lead to a row; `trail` says where a line continues
 * below.
 */
function connectors(trail: readonly boolean[], glyphs: Glyphs): string {
  if (trail.length === 0) return "";
  const last = trail.at(-1) === true ? glyphs.branch : glyphs.last;
  const above = trail.slice(0, -1);
  if (above.length < DRAWN_LEVELS) {
    return above.map((goesOn) => goesOn ? glyphs.bar : "   ").join("") + last;
  }
  const level = `L${trail.length}`;
  return `${level.padEnd(4, glyphs.dot)}${last}`;
}

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
