/**
 * One agent as a row, the same in the tree and under an account.
 *
 * @module
 */

import { countText, durationText, moneyText } from "../../control/words.ts";
import { type Agent, chipOf } from "../agent.ts";
import { reasonText } from "../figures.ts";
import { widthOf } from "../terminal/grapheme.ts";
import {
  figure,
  lane,
  type Line,
  lineWidth,
  type Span,
  span,
} from "../terminal/line.ts";
import type { Row, Scene } from "../scene.ts";
import type { Sum } from "../tree.ts";

interface AgentRowOptions {
  /** Drawn before the agent: connecting lines or indentation. */
  readonly prefix: string;
  /** `☂`, `↳`, or empty for an agent on its own. */
  readonly glyph: string;
  /** Sum of the subtree, on rows of leads. */
  readonly sum: Sum | null;
  readonly rank: 0 | 1 | 2;
}

interface Lanes {
  readonly who: number;
  readonly chip: number;
  readonly tokens: number;
  readonly sum: number;
  readonly cost: number;
}

const FULL: Lanes = { who: 27, chip: 8, tokens: 6, sum: 8, cost: 8 };
const MEDIUM: Lanes = { who: 23, chip: 8, tokens: 5, sum: 7, cost: 7 };
const NARROW: Lanes = { who: 21, chip: 7, tokens: 5, sum: 7, cost: 0 };
const SMALL: Lanes = { who: 20, chip: 7, tokens: 5, sum: 0, cost: 0 };

const LANES = { full: FULL, medium: MEDIUM, narrow: NARROW, small: SMALL };

/** A tail narrower than this is left out. */
const TAIL_MIN = 8;

export function agentRow(
  agent: Agent,
  scene: Scene,
  options: AgentRowOptions,
): Row {
  const lanes = LANES[scene.breadth];
  const head: Line = [
    span(" "),
    mark(agent, scene),
    span(" "),
    lane(whoText(agent, options), lanes.who),
    chip(agent, lanes.chip),
    ...state(agent, scene),
    figure(tokensText(agent, scene), lanes.tokens),
    ...sumLane(options.sum, scene, lanes.sum),
    figure(moneyText(agent.cost), lanes.cost, "dim"),
  ];
  const room = scene.columns - lineWidth(head) - 2;
  const tail = room > TAIL_MIN ? [span("  "), ...tailLine(agent, scene)] : [];
  return {
    key: `agent:${agent.id}`,
    line: [...head, ...tail],
    search: [
      agent.label,
      agent.title,
      agent.intent,
      agent.account,
      agent.id,
      agent.status,
    ].filter((text) => text !== null).join(" "),
    rank: options.rank,
  };
}

/** Returns `🦊 D-101`, as in every list. */
export function agentName(agent: Agent): string {
  return agent.emoji === null ? agent.label : `${agent.emoji} ${agent.label}`;
}

function whoText(agent: Agent, { prefix, glyph }: AgentRowOptions): string {
  const lead = glyph === "" ? prefix : `${prefix}${glyph} `;
  return `${lead}${agentName(agent)}`;
}

function mark(agent: Agent, { glyphs }: Scene): Span {
  if (agent.need !== null) return span(glyphs.needsYou, "bad");
  return agent.collides ? span(glyphs.collides, "careful") : span(" ");
}

function chip(agent: Agent, width: number): Span {
  const { text, style } = chipOf(agent.status);
  return lane(
    widthOf(text) < width ? text : text.slice(0, width - 1),
    width,
    style,
  );
}

function state(agent: Agent, { glyphs }: Scene): Line {
  const word = agent.isWarm || agent.isToolRunning
    ? span("live ", "good")
    : agent.isBound
    ? span("idle ", "dim")
    : lane(glyphs.none, 5, "dim");
  const activity = agent.isToolRunning
    ? glyphs.tool
    : agent.isWarm
    ? glyphs.warm
    : " ";
  return [word, span(`${activity} `)];
}

function tokensText(agent: Agent, { glyphs }: Scene): string {
  return agent.tokens === null ? glyphs.none : countText(agent.tokens);
}

function sumLane(sum: Sum | null, { glyphs }: Scene, width: number): Line {
  if (width === 0) return [];
  const text = sum === null ? "" : `${glyphs.sum} ${countText(sum.tokens)}`;
  return [span("  "), lane(text, width - 1, "strong")];
}

/**
 * Returns the most important fact: why the agent waits, else what it works on.
 */
function tailLine(agent: Agent, { model, glyphs }: Scene): Line {
  const what = agent.title ?? agent.intent ?? "";
  const marks = [
    ...(agent.isSolo ? [span("solo ", "info")] : []),
    ...(agent.policy === null ? [] : [span(`by ${agent.policy} `, "info")]),
  ];
  if (agent.need === null) {
    return waitLine(agent, model) ?? [...marks, span(what, "dim")];
  }
  const gap = what === "" ? "" : ` ${glyphs.dot} `;
  return [
    span(`waits for you: ${agent.need}`, "bad"),
    span(`${gap}${what}`, "dim"),
  ];
}

/** Returns why its request does not run, or null while none waits. */
function waitLine(agent: Agent, model: Scene["model"]): Line | null {
  const held = agent.requests.find(({ state }) =>
    state === "held" || state === "waiting"
  );
  if (held === undefined) return null;
  const age = durationText(model.now - held.since.ms);
  const reason = held.reason === null ? "" : `: ${reasonText(held.reason)}`;
  return [span(`${held.state} ${age}${reason}`, "careful")];
}
