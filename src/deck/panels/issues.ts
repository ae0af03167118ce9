/**
 * What was spent per issue; only active issues are shown.
 *
 * @module
 */

import { countText, moneyText } from "../../control/words.ts";
import { type Agent, chipOf } from "../agent.ts";
import { plural } from "../figures.ts";
import { figure, lane, type Line, span } from "../terminal/line.ts";
import { filtered, type Row, type Scene, type Section } from "../scene.ts";
import { sumOf } from "../tree.ts";

const COLLAPSED_ROWS = 8;
const EMOJIS_MAX = 2;

export function issuesSection(scene: Scene): Section | null {
  const { agents, model, glyphs } = scene;
  const byIssue = Map.groupBy(
    agents.filter(({ issue }) => issue !== null),
    ({ issue }) => issue ?? "",
  );
  if (byIssue.size === 0) return null;
  const sorted = [...byIssue.entries()]
    .map(([issue, own]) => ({ issue, own, sum: sumOf(own) }))
    .sort((a, b) =>
      b.sum.tokens - a.sum.tokens || (a.issue < b.issue ? -1 : 1)
    );
  const shown = model.areIssuesOpen ? sorted : sorted.slice(0, COLLAPSED_ROWS);
  const rows = shown.map(({ issue, own }): Row => ({
    key: `issue:${issue}`,
    line: issueLine(issue, own, scene),
    search: `${issue} ${own[0]?.title ?? ""}`,
    rank: model.areIssuesOpen ? 1 : 2,
  }));
  const all = model.areIssuesOpen || shown.length === sorted.length
    ? ""
    : ` ${glyphs.dot} i shows all`;
  return {
    pane: "issues",
    title: `by issue ${glyphs.dot} ${sorted.length}${all}`,
    aside: [],
    rows: filtered(rows, model),
  };
}

function issueLine(
  issue: string,
  agents: readonly Agent[],
  scene: Scene,
): Line {
  const emojis = agents.flatMap(({ emoji }) => emoji ?? []).slice(
    0,
    EMOJIS_MAX,
  );
  const { tokens, cost } = sumOf(agents);
  const chip = chipOf(agents[0]?.status ?? null);
  const collides = agents.length > 1;
  return [
    span(" "),
    collides ? span(scene.glyphs.collides, "careful") : span(" "),
    span(" "),
    lane([...emojis, issue].join(" "), 20),
    lane(chip.text, 8, chip.style),
    lane(plural(agents.length, "session"), 12),
    figure(countText(tokens), 6),
    figure(moneyText(cost), 8, "dim"),
    span(`  ${agents[0]?.title ?? ""}`, "dim"),
  ];
}
