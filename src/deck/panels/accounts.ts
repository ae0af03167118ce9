/**
 * The accounts with their quota, and the agents that each serves.
 *
 * @module
 */

import { countText, spentText } from "../../control/words.ts";
import type { Agent } from "../agent.ts";
import { agentName, agentRow } from "./agent_row.ts";
import { accountLine, accountTexts } from "./account_line.ts";
import {
  fit,
  type Line,
  lineWidth,
  type Span,
  span,
} from "../terminal/line.ts";
import {
  type AccountGroup,
  filtered,
  type Row,
  type Scene,
  type Section,
} from "../scene.ts";

const INDENT = "     ";
const CHIP_GAP = "   ";

export function accountsSection(scene: Scene): Section {
  const { groups, unrouted, model, glyphs } = scene;
  const texts = accountTexts(scene);
  const rows = groups.flatMap((group) => [
    headRow(group, accountLine(group, scene, texts)),
    ...memberRows(group, scene),
  ]);
  const tail = unrouted.length === 0 || isSmall(scene) ? [] : [
    plainRow([span(`${INDENT}no account yet`, "dim")]),
    ...unrouted.map((agent) => ownRow(agent, scene)),
  ];
  const isSorted = groups.some(({ tokens }) => tokens > 0);
  const aside = scene.breadth === "full" && isSorted
    ? ` ${glyphs.dot} by tokens`
    : "";
  return {
    pane: "accounts",
    title: `accounts${aside}`,
    aside: [],
    rows: groups.length === 0
      ? [plainRow([span(`   ${emptyText(scene)}`, "dim")])]
      : filtered([...rows, ...tail], model),
  };
}

function emptyText({ model }: Scene): string {
  return model.status === null
    ? "no figures yet"
    : "none yet: press a, or type tc login";
}

function isSmall({ breadth }: Scene): boolean {
  return breadth === "small" || breadth === "narrow";
}

function plainRow(line: Line): Row {
  return { key: null, line, search: "", rank: 2 };
}

function headRow({ view, agents }: AccountGroup, line: Line): Row {
  const search = [
    view.label,
    view.kind,
    view.word,
    view.reason ?? "",
    ...agents.map(({ label }) => label),
  ].join(" ");
  return { key: `account:${view.label}`, line, search, rank: 0 };
}

/** Agents of a tree are listed there already and only named here. */
function memberRows(group: AccountGroup, scene: Scene): readonly Row[] {
  const { agents, view } = group;
  if (isSmall(scene)) return [];
  if (scene.model.openAccounts.has(view.label)) {
    return [
      ...endRows(group, scene),
      ...agents.map((agent) => ownRow(agent, scene)),
    ];
  }
  const inTree = agents.filter(({ id }) => scene.forest.members.has(id));
  const alone = agents.filter(({ id }) => !scene.forest.members.has(id));
  const chips = scene.breadth === "full" ? chipRows(inTree, scene) : [];
  return [...chips, ...alone.map((agent) => ownRow(agent, scene))];
}

/** Returns when its windows may run out. */
function endRows({ view }: AccountGroup, { model }: Scene): readonly Row[] {
  const time = { now: model.now, timeZone: model.look.timeZone };
  const ends = view.windows.flatMap((window) => spentText(window, time) ?? []);
  return ends.map((text) => plainRow([span(`${INDENT}${text}`, "dim")]));
}

function ownRow(agent: Agent, scene: Scene): Row {
  return agentRow(agent, scene, {
    prefix: "  ",
    glyph: "",
    sum: null,
    rank: agent.need === null ? 1 : 0,
  });
}

/** Returns `🦊 D-101 10k   🐙 D-102 5k` in one or two lines. */
function chipRows(agents: readonly Agent[], scene: Scene): readonly Row[] {
  if (agents.length === 0) return [];
  const lines: Span[][] = [[span(INDENT)]];
  for (const agent of agents) {
    const line = lines.at(-1) ?? [];
    const chip = [
      span(agentName(agent), agent.need === null ? "plain" : "bad"),
      span(` ${countText(agent.tokens ?? 0)}${CHIP_GAP}`, "dim"),
    ];
    if (lineWidth([...line, ...chip]) <= scene.columns) line.push(...chip);
    else lines.push([span(INDENT), ...chip]);
  }
  return lines.slice(0, 2).map((line) => plainRow(fit(line, scene.columns)));
}
