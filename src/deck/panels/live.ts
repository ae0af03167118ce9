/**
 * The requests in flight, each in a place of its own, and what the waiting ones
 * wait for.
 *
 * @module
 */

import type { RequestView, SessionView } from "../../control/protocol.ts";
import { countText, durationText, inert } from "../../control/words.ts";
import { projectName } from "../../core/route/project_route.ts";
import { modelText, reasonText, timeText } from "../figures.ts";
import { cutInMiddle } from "../terminal/grapheme.ts";
import { inLanes, type Lane, lanesFor, laneWidth } from "../terminal/lanes.ts";
import { fit, type Line, span, type Style } from "../terminal/line.ts";
import { filtered, type Row, type Scene, type Section } from "../scene.ts";
import { agentName, nameWidth } from "./agent_row.ts";

const STATE: Readonly<
  Record<RequestView["state"], { readonly word: string; readonly style: Style }>
> = {
  waiting: { word: "waiting", style: "careful" },
  held: { word: "held", style: "careful" },
  sent: { word: "sent", style: "info" },
  streaming: { word: "stream", style: "good" },
};

/** Width in cells of a request's id. */
export const ID_WIDTH = 12;

const PROJECT_WIDTH = 14;

/** Sessions outlive their requests, so the lane does not come and go. */
function hasProject({ project }: SessionView): boolean {
  return project !== null;
}

export function liveSection(scene: Scene): Section {
  const { model, glyphs } = scene;
  const requests = model.status?.requests ?? [];
  const held = requests.filter(({ state }) => state === "held").length;
  const live = requests.length - held;
  const lanes = liveLanes(scene);
  return {
    box: "live",
    pane: "live",
    title: [`live ${live}`, ...(held === 0 ? [] : [`held ${held}`])]
      .join(` ${glyphs.dot} `),
    aside: [],
    rows: filtered(
      requests.map((request) => liveRow(request, scene, lanes)),
      model,
    ),
    rest: null,
  };
}

function liveLanes(scene: Scene): readonly Lane[] {
  return lanesFor([
    { key: "mark", width: 1, worth: Infinity },
    { key: "time", width: 8, worth: 30, gap: 0 },
    { key: "who", width: nameWidth(scene), worth: Infinity },
    { key: "account", width: scene.labelWidth, worth: 90 },
    { key: "model", width: 12, worth: 35 },
    { key: "state", width: 7, worth: 100 },
    { key: "age", width: 4, worth: 80, isRight: true, gap: 1 },
    { key: "why", width: 20, worth: 85, grows: true },
    // The first to go: only a wide terminal has room for it.
    ...(scene.model.status?.sessions ?? []).some(hasProject)
      ? [{ key: "project", width: PROJECT_WIDTH, worth: 10 }]
      : [],
    { key: "id", width: ID_WIDTH, worth: 20 },
  ], scene.columns);
}

function liveRow(
  request: RequestView,
  scene: Scene,
  lanes: readonly Lane[],
): Row {
  const { model, glyphs } = scene;
  const who = whoText(request.session, scene);
  const sub = request.agent === null ? "" : ` ${glyphs.child}`;
  const { word, style } = STATE[request.state];
  const project = request.project === null
    ? ""
    : inert(projectName(request.project));
  const cells = {
    mark: [],
    time: [span(timeText(request.since.ms, model.look.timeZone), "dim")],
    who: [span(cutInMiddle(`${who}${sub}`, laneWidth(lanes, "who")))],
    account: [
      span(cutInMiddle(request.account ?? glyphs.none, scene.labelWidth)),
    ],
    model: [span(cutInMiddle(modelText(request.model), 12), "dim")],
    state: [span(word, style)],
    age: [span(durationText(model.now - request.since.ms).split(" ")[0] ?? "")],
    why: whyLine(request, scene, laneWidth(lanes, "why")),
    project: [span(cutInMiddle(project, PROJECT_WIDTH), "dim")],
    id: [span(request.id.slice(0, ID_WIDTH), "dim")],
  };
  return {
    key: `request:${request.id}`,
    lines: [inLanes(cells, lanes)],
    search: [
      who,
      request.account ?? "",
      request.model ?? "",
      request.state,
      project,
      request.id,
    ].join(" "),
  };
}

/** Returns the name of the session's agent, else the start of its id. */
export function whoText(session: string | null, scene: Scene): string {
  if (session === null) return scene.glyphs.none;
  const agent = scene.byId.get(session);
  return agent === undefined ? session.slice(0, 6) : agentName(agent);
}

/** Returns why a request waits, or what its prompt cost, in whole parts. */
function whyLine(request: RequestView, scene: Scene, width: number): Line {
  const { state, reason } = request;
  if (state === "streaming") return promptLine(request, scene, width);
  if (state === "sent") return [];
  const why = reason === null ? "" : reasonText(reason);
  const isShort = reason === "warm_account" || reason === "shared_prompt";
  const next = isShort ? "" : nextText(scene);
  const both = [why, next].filter((part) => part !== "").join("; ");
  const text = [both, next, why].find((part) =>
    part !== "" && part.length <= width
  );
  return fit([span(text ?? why, "careful")], width);
}

/** Returns what the prompt cost: fresh, read from the cache, rebuilt. */
function promptLine(
  { input, cacheRead, cacheWrite }: RequestView,
  { glyphs }: Scene,
  width: number,
): Line {
  if (input === null) return [];
  const parts = [
    `${glyphs.sent} ${countText(input)}`,
    `${glyphs.read} ${countText(cacheRead ?? 0)}`,
    ...(cacheWrite ? [`${glyphs.write} ${countText(cacheWrite)}`] : []),
  ].map((part) => part.padEnd(8));
  while (parts.join("").trimEnd().length > width) parts.pop();
  return [span(parts.join("").trimEnd(), "dim")];
}

/** Returns when the first closed account is back. */
function nextText({ model }: Scene): string {
  const untils = (model.status?.accounts ?? [])
    .filter(({ word }) => word === "closed")
    .map(({ until }) => until?.ms ?? Infinity);
  const soonest = Math.min(...untils);
  return Number.isFinite(soonest)
    ? `next in about ${durationText(soonest - model.now)}`
    : "";
}
