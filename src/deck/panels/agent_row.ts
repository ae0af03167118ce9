/**
 * One agent as a row, the same in the tree and under an account.
 *
 * @module
 */

import { countText, durationText, moneyText } from "../../control/words.ts";
import { type Agent, chipOf } from "../agent.ts";
import { reasonText } from "../figures.ts";
import { cutInMiddle, widthOf } from "../terminal/grapheme.ts";
import { inLanes, type Lane, lanesFor, laneWidth } from "../terminal/lanes.ts";
import { fit, lane, type Line, type Span, span } from "../terminal/line.ts";
import type { Row, Scene } from "../scene.ts";
import type { Sum } from "../tree.ts";

interface AgentRowOptions {
  /** Drawn before the agent: connecting lines or indentation. */
  readonly prefix: string;
  /** `☂`, `↳`, or empty for an agent on its own. */
  readonly glyph: string;
  /** Sum of the subtree, on rows of leads. */
  readonly sum: Sum | null;
}

/** Up to this part of a row names are whole; then they are cut in the middle. */
const NAME_PART = 1 / 3;
const NAME_MIN = 16;

/** A text narrower than this is left out. */
const TEXT_MIN = 24;
const TEXT_MIN_NARROW = 16;

/** Returns the width of the names of agents where they stand without a tree. */
export function nameWidth({ columns, nameWidth }: Scene): number {
  return Math.min(Math.floor(columns * NAME_PART), Math.max(8, nameWidth));
}

/** Returns the lanes that all agents share. */
function agentLanes(scene: Scene): readonly Lane[] {
  const { columns } = scene;
  const name = Math.max(
    NAME_MIN,
    Math.min(Math.floor(columns * NAME_PART), scene.agentWidth),
  );
  return lanesFor([
    { key: "mark", width: 2, worth: Infinity },
    { key: "who", width: name, worth: Infinity, gap: 1 },
    { key: "chip", width: 7, worth: 60 },
    { key: "state", width: 6, worth: 90, gap: 1 },
    { key: "account", width: scene.labelWidth, worth: 50 },
    { key: "tokens", width: 5, worth: 80, isRight: true },
    { key: "sum", width: 7, worth: 40 },
    { key: "cost", width: 7, worth: 30, isRight: true },
    {
      key: "text",
      width: columns < 80 ? TEXT_MIN_NARROW : TEXT_MIN,
      worth: 70,
      grows: true,
    },
  ], columns);
}

export function agentRow(
  agent: Agent,
  scene: Scene,
  options: AgentRowOptions,
): Row {
  const lanes = agentLanes(scene);
  const { glyphs } = scene;
  const textWidth = laneWidth(lanes, "text");
  const who = whoText(agent, options, laneWidth(lanes, "who"));
  const line = inLanes({
    mark: [span(" "), mark(agent, scene)],
    who: [span(who)],
    chip: chip(agent, 7),
    state: state(agent, scene),
    account: [
      span(cutInMiddle(agent.account ?? glyphs.none, scene.labelWidth), "dim"),
    ],
    tokens: [span(tokensText(agent, scene))],
    sum: options.sum === null
      ? []
      : [span(`${glyphs.sum} ${countText(options.sum.tokens)}`, "strong")],
    cost: [span(moneyText(agent.cost), "dim")],
    text: fit(tailLine(agent, scene, textWidth), textWidth),
  }, lanes);
  return {
    key: `agent:${agent.id}`,
    lines: [line],
    search: [
      agent.label,
      agent.title,
      agent.intent,
      agent.account,
      agent.id,
      agent.status,
    ].filter((text) => text !== null).join(" "),
  };
}

/** Returns `🦊 D-101`, as in every list. */
export function agentName(agent: Agent): string {
  return agent.emoji === null ? agent.label : `${agent.emoji} ${agent.label}`;
}

/** Returns the agent in its tree; only its name is cut. */
function whoText(
  agent: Agent,
  { prefix, glyph }: AgentRowOptions,
  width: number,
): string {
  const lead = glyph === "" ? prefix : `${prefix}${glyph} `;
  const room = Math.max(1, width - widthOf(lead));
  return `${lead}${cutInMiddle(agentName(agent), room)}`;
}

function mark(agent: Agent, { glyphs }: Scene): Span {
  if (agent.need !== null) return span(glyphs.needsYou, "bad");
  return agent.collides ? span(glyphs.collides, "careful") : span(" ");
}

function chip(agent: Agent, width: number): Line {
  const { text, style } = chipOf(agent.status);
  return [span(cutInMiddle(text, width), style)];
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
  return [word, span(activity)];
}

function tokensText(agent: Agent, { glyphs }: Scene): string {
  return agent.tokens === null ? glyphs.none : countText(agent.tokens);
}

/**
 * Returns the most important fact: why the agent waits, else what it works on.
 */
function tailLine(
  agent: Agent,
  { model, glyphs }: Scene,
  width: number,
): Line {
  const what = agent.title ?? agent.intent ?? "";
  const marks = [
    ...(agent.isSolo ? [span("solo ", "info")] : []),
    ...(agent.policy === null ? [] : [span(`by ${agent.policy} `, "info")]),
  ];
  if (agent.need === null) {
    return waitLine(agent, model, width) ?? [...marks, span(what, "dim")];
  }
  const gap = what === "" ? "" : ` ${glyphs.dot} `;
  const need = `waits for you: ${agent.need}`;
  return [
    span(widthOf(need) <= width ? need : agent.need, "bad"),
    span(`${gap}${what}`, "dim"),
  ];
}

/** Returns why its request does not run, or null while none waits. */
function waitLine(
  agent: Agent,
  model: Scene["model"],
  width: number,
): Line | null {
  const held = agent.requests.find(({ state }) =>
    state === "held" || state === "waiting"
  );
  if (held === undefined) return null;
  const age = durationText(model.now - held.since.ms);
  const reason = held.reason === null ? "" : reasonText(held.reason);
  const whole = `${held.state} ${age}${reason === "" ? "" : `: ${reason}`}`;
  const isWhole = reason === "" || widthOf(whole) <= width;
  return [span(isWhole ? whole : reason, "careful")];
}
