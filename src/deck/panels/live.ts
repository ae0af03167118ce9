/**
 * The requests in flight, and what the waiting ones wait for.
 *
 * @module
 */

import type { RequestView } from "../../control/protocol.ts";
import { countText, durationText } from "../../control/words.ts";
import { modelText, reasonText, timeText } from "../figures.ts";
import { figure, lane, type Line, span, type Style } from "../terminal/line.ts";
import { filtered, type Row, type Scene, type Section } from "../scene.ts";
import { agentName } from "./agent_row.ts";

const STATE: Readonly<
  Record<RequestView["state"], { readonly word: string; readonly style: Style }>
> = {
  waiting: { word: "waiting", style: "careful" },
  held: { word: "held", style: "careful" },
  sent: { word: "sent", style: "info" },
  streaming: { word: "stream", style: "good" },
};

export function liveSection(scene: Scene): Section | null {
  const requests = scene.model.status?.requests ?? [];
  if (requests.length === 0) return null;
  const held = requests.filter(({ state }) => state === "held").length;
  const live = requests.length - held;
  const isFull = scene.breadth === "full";
  const title = held === 0
    ? `live ${isFull ? `${scene.glyphs.dot} ` : ""}${live}`
    : isFull
    ? `live ${scene.glyphs.dot} ${live} + ${held} held`
    : `live ${live} ${scene.glyphs.dot} held ${held}`;
  return {
    pane: "live",
    title,
    aside: [],
    rows: filtered(
      requests.map((request) => liveRow(request, scene)),
      scene.model,
    ),
  };
}

function liveRow(request: RequestView, scene: Scene): Row {
  const who = whoText(request.session, scene);
  return {
    key: `request:${request.id}`,
    line: liveLine(request, who, scene),
    search: [who, request.account ?? "", request.model ?? "", request.state]
      .join(" "),
    rank: request.state === "streaming" ? 1 : 0,
  };
}

/** Returns the name of the session's agent, else the start of its id. */
export function whoText(session: string | null, scene: Scene): string {
  if (session === null) return scene.glyphs.none;
  const agent = scene.byId.get(session);
  return agent === undefined ? session.slice(0, 6) : agentName(agent);
}

function liveLine(request: RequestView, who: string, scene: Scene): Line {
  const { model, glyphs, breadth, labelWidth } = scene;
  const { word, style } = STATE[request.state];
  const agent = request.agent === null ? "" : ` ${glyphs.child}`;
  const age = figure(durationText(model.now - request.since.ms), 5);
  const account = lane(
    request.account ?? glyphs.none,
    Math.max(7, labelWidth) + 2,
  );
  const tail = [span("   "), ...tailLine(request, scene)];
  if (breadth === "full") {
    return [
      span(`   ${timeText(request.since.ms, model.look.timeZone)}  `),
      lane(`${who}${agent}`, 18),
      account,
      lane(modelText(request.model), 11, "dim"),
      lane(word, 8, style),
      age,
      ...tail,
    ];
  }
  return [
    span("   "),
    lane(`${who}${agent}`, breadth === "medium" ? 18 : 14),
    account,
    lane(word, 8, style),
    age,
    ...tail,
  ];
}

function tailLine(request: RequestView, scene: Scene): Line {
  const { state, reason } = request;
  if (state === "streaming") return promptLine(request, scene);
  if (state === "sent") return [];
  const next = reason === "warm_account" ? "" : nextText(scene);
  const why = reason === null ? "" : reasonText(reason);
  const parts = scene.breadth === "full" ? [why, next] : [next || why];
  return [span(parts.filter((part) => part !== "").join("; "), "dim")];
}

/** Returns what the prompt cost: fresh, read from the cache, rebuilt. */
function promptLine(
  { input, cacheRead, cacheWrite }: RequestView,
  { glyphs, breadth }: Scene,
): Line {
  if (input === null) return [];
  const parts = [
    `${glyphs.sent} ${countText(input)}`,
    `${glyphs.read} ${countText(cacheRead ?? 0)}`,
    ...(cacheWrite ? [`${glyphs.write} ${countText(cacheWrite)}`] : []),
  ];
  return [span(parts.join(breadth === "full" ? "   " : "  "), "dim")];
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
