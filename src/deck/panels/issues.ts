/**
 * What was spent per issue; only active issues are shown.
 *
 * @module
 */

import { countText, moneyText } from "../../control/words.ts";
import { type Agent, chipOf } from "../agent.ts";
import { plural } from "../figures.ts";
import { cutInMiddle } from "../terminal/grapheme.ts";
import { inLanes, lanesFor, laneWidth } from "../terminal/lanes.ts";
import { fit, type Line, span } from "../terminal/line.ts";
import { filtered, type Row, type Scene, type Section } from "../scene.ts";
import { sumOf } from "../tree.ts";

const EMOJIS_MAX = 2;

export function issuesSection(scene: Scene): Section {
  const { agents, model, glyphs } = scene;
  const byIssue = Map.groupBy(
    agents.filter(({ issue }) => issue !== null),
    ({ issue }) => issue ?? "",
  );
  const sorted = [...byIssue.entries()]
    .map(([issue, own]) => ({ issue, own, sum: sumOf(own) }))
    .sort((a, b) =>
      b.sum.tokens - a.sum.tokens || (a.issue < b.issue ? -1 : 1)
    );
  const rows = sorted.map(({ issue, own }): Row => ({
    key: `issue:${issue}`,
    lines: [issueLine(issue, own, scene)],
    search: `${issue} ${own[0]?.title ?? ""}`,
  }));
  return {
    box: "agents",
    pane: "issues",
    title: `by issue ${glyphs.dot} ${sorted.length}`,
    aside: [span("i shows the agents ", "dim")],
    rows: rows.length > 0 ? filtered(rows, model) : [{
      key: null,
      lines: [[span("   no agent works on an issue", "dim")]],
      search: "",
    }],
    rest: null,
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
  const lanes = lanesFor([
    { key: "mark", width: 2, worth: Infinity },
    {
      key: "issue",
      width: Math.max(12, scene.nameWidth),
      worth: Infinity,
      gap: 1,
    },
    { key: "chip", width: 7, worth: 60 },
    { key: "sessions", width: 11, worth: 50 },
    { key: "tokens", width: 5, worth: 80, isRight: true },
    { key: "cost", width: 7, worth: 40, isRight: true },
    { key: "text", width: 12, worth: 70, grows: true },
  ], scene.columns);
  const title = span(agents[0]?.title ?? "", "dim");
  return inLanes({
    mark: [
      span(" "),
      collides ? span(scene.glyphs.collides, "careful") : span(" "),
    ],
    issue: [span(
      cutInMiddle([...emojis, issue].join(" "), laneWidth(lanes, "issue")),
    )],
    chip: [span(cutInMiddle(chip.text, 7), chip.style)],
    sessions: [span(plural(agents.length, "session"))],
    tokens: [span(countText(tokens))],
    cost: [span(moneyText(cost), "dim")],
    text: fit([title], laneWidth(lanes, "text")),
  }, lanes);
}
