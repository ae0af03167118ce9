/**
 * Draws the tree of orchestration, and the agents that work on their own.
 *
 * @module
 */

import { countText, moneyText } from "../../control/words.ts";
import { plural } from "../figures.ts";
import { type Line, span } from "../terminal/line.ts";
import { filtered, type Row, type Scene, type Section } from "../scene.ts";
import type { Glyphs } from "../terminal/theme.ts";
import { type Forest, type TreeRow, treeRows } from "../tree.ts";
import { agentRow } from "./agent_row.ts";
import type { Agent } from "../agent.ts";

/** A row deeper than this shows its level instead of drawing every line. */
const DRAWN_LEVELS = 4;

/** What the key of an agent's row begins with. */
const AGENT_KEY = "agent:";

/** Most levels in the summary. */
const LEVELS_MAX = 6;

/**
 * Returns the agents: the trees, then those on their own. Where they are more
 * than the box has rows, the idle ones share the last line.
 */
export function agentsSection(scene: Scene): Section {
  const { forest, agents, model, glyphs } = scene;
  const room = (scene.layout.boxes.get("agents")?.height ?? 1) - 1;
  const isHere = model.pane === "tree" && model.selected !== null;
  const isCrowded = agents.length > room && !isHere &&
    model.filter.trim() === "";
  const alone = agents.filter(({ id }) => !forest.members.has(id));
  const all = [
    ...treeRows(forest, placesOf(model))
      .map((row) => ({ agent: row.agent, row })),
    ...sortedAgents(alone, scene).map((agent) => ({ agent, row: null })),
  ];
  const isShown = ({ agent, row }: typeof all[number]): boolean =>
    agent.need !== null || agent.requests.length > 0 || agent.isWarm ||
    agent.isToolRunning || row?.isLead === true;
  const active = isCrowded ? all.filter(isShown) : all;
  const isNeeded = ({ agent }: typeof all[number]) => agent.need !== null;
  // Where not even these fit, who needs a person comes first.
  const shown = isCrowded && active.length > room - 1
    ? [
      ...active.filter(isNeeded).map(({ agent }) => ({ agent, row: null })),
      ...active.filter((one) => !isNeeded(one)),
    ]
    : active;
  const idle = all.length - shown.length;
  const rows = shown.map(({ agent, row }) =>
    row === null
      ? agentRow(agent, scene, { prefix: "", glyph: "", sum: null })
      : drawn(row, scene)
  );
  return {
    box: "agents",
    pane: "tree",
    title: titleOf(scene),
    aside: levelLine(forest, scene),
    rows: agents.length === 0
      ? [{
        key: null,
        lines: [[span("   none yet: tc run", "dim")]],
        search: "",
      }]
      : filtered(rows, model),
    rest: idle === 0 ? null : [span(`   ${plural(idle, "idle agent")}`, "dim")],
  };

  function titleOf({ breadth }: Scene): string {
    const { tokens, cost, agents: nodes } = forest.total;
    const { agents: sort } = model.sort;
    const order = sort === "tokens" ? [] : [`by ${sort}`];
    if (forest.roots.length === 0) {
      return [`agents ${glyphs.dot} ${agents.length}`, ...order]
        .join(` ${glyphs.dot} `);
    }
    const price = moneyText(cost);
    return [
      forest.roots.length > 1 ? `${forest.roots.length} trees` : "tree",
      ...(breadth === "full" ? [plural(nodes, "node")] : []),
      countText(tokens),
      ...(price === "" ? [] : [price]),
      ...order,
    ].join(` ${glyphs.dot} `);
  }
}

/** Returns where the row of each agent stands, by its id. */
function placesOf({ places }: Scene["model"]): ReadonlyMap<string, number> {
  return new Map(
    places.tree.keys.map((key, at) => [key.slice(AGENT_KEY.length), at]),
  );
}

function sortedAgents(
  agents: readonly Agent[],
  { model }: Scene,
): readonly Agent[] {
  switch (model.sort.agents) {
    case "name":
      return [...agents].sort((a, b) => a.label < b.label ? -1 : 1);
    case "used":
      return [...agents].sort((a, b) =>
        (b.lastUsedAt ?? 0) - (a.lastUsedAt ?? 0)
      );
    case "set":
    case "tokens":
      return agents;
  }
}

/** Returns `L0 1·10k   L1 2·8k`, or `L0 10k` with less room. */
function levelLine({ levels }: Forest, scene: Scene): Line {
  if (levels.length === 0) return [];
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
