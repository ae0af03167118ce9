/**
 * One account as a line: shape, name, plan, windows or the reason why it is
 * closed, and what it does.
 *
 * @module
 */

import type { AccountView, WindowView } from "../../control/protocol.ts";
import {
  countText,
  durationText,
  percentText,
  planText,
} from "../../control/words.ts";
import { stateText } from "../../control/state_text.ts";
import { plural } from "../figures.ts";
import { cutInMiddle, widthOf } from "../terminal/grapheme.ts";
import { inLanes, type Lane, lanesFor, laneWidth } from "../terminal/lanes.ts";
import {
  lane,
  type Line,
  lineWidth,
  span,
  type Style,
} from "../terminal/line.ts";
import type { AccountGroup, Scene } from "../scene.ts";
import {
  BAR_WIDTH,
  BAR_WIDTH_FULL,
  isOld,
  openWindow,
  windowLine,
  WORDS_WIDTH,
} from "./bar.ts";

const TIER_WIDTH = 8;

/** From these widths of a list on, the two windows have bars. */
const FIVE_BAR_FROM = 56;
const WEEK_BAR_FROM = 110;

/** Before a name: the sign of a pin, the shape and a blank. */
const LEAD_WIDTH = 3;

/** An error older than this is no longer shown with its account. */
const ERROR_MS = 15 * 60_000;

/** Returns the lanes that all accounts share. */
export function accountLanes(
  { columns, labelWidth, breadth }: Scene,
): readonly Lane[] {
  const isFull = breadth === "full";
  const hasBar = columns >= FIVE_BAR_FROM;
  const hasBars = columns >= WEEK_BAR_FROM;
  const bar = hasBars ? BAR_WIDTH_FULL : BAR_WIDTH;
  return lanesFor([
    { key: "name", width: LEAD_WIDTH + labelWidth, worth: Infinity },
    { key: "plan", width: TIER_WIDTH, worth: 20 },
    {
      key: "five",
      width: WORDS_WIDTH + (hasBar ? bar : 0),
      worth: 100,
      grows: hasBar,
    },
    {
      key: "week",
      width: WORDS_WIDTH + (hasBars ? bar : 0),
      worth: 95,
      grows: hasBars,
    },
    { key: "flight", width: isFull ? 8 : 5, worth: 70, isRight: true },
    { key: "hit", width: isFull ? 8 : 4, worth: 55, isRight: true },
    ...(isFull
      ? [{ key: "work", width: 26, worth: 50 }]
      : [{ key: "tokens", width: 5, worth: 60, isRight: true }]),
    { key: "age", width: 7, worth: 30, isRight: true },
    { key: "error", width: 30, worth: 10 },
  ], columns);
}

export function accountLine(
  group: AccountGroup,
  scene: Scene,
  lanes: readonly Lane[],
): Line {
  const { view } = group;
  const head = headLine(view, scene);
  const plan = laneWidth(lanes, "plan");
  const indent = lineWidth(head) + 2 + (plan > 0 ? plan + 2 : 0);
  const week = openWindow(view, "7d");
  const five = laneWidth(lanes, "five");
  const inLane = week === null ? null : wordsOf(view, scene, five);
  const fitsLane = inLane !== null && lineWidth(inLane) <= five;
  const words = fitsLane
    ? inLane
    : wordsOf(view, scene, scene.columns - indent);
  const cells = {
    name: head,
    plan: [span(planText(view), "dim")],
    ...workCells(group, scene),
  };
  if (words === null) {
    return inLanes({ ...cells, ...windowCells(view, scene, lanes) }, lanes);
  }
  // Why it does not serve stands where its windows would.
  if (!fitsLane) {
    const tier = plan > 0
      ? [span("  "), lane(planText(view), plan, "dim")]
      : [];
    return [...head, ...tier, span("  "), ...words];
  }
  return inLanes({
    ...cells,
    five: words,
    week: week === null
      ? []
      : windowLine(week, { scene, width: laneWidth(lanes, "week") }),
  }, lanes);
}

function headLine(view: AccountView, scene: Scene): Line {
  const { style, shape } = shapeOf(view, scene);
  const isPinned = scene.model.status?.server.pin === view.label;
  return [
    span(isPinned ? scene.glyphs.pinned : " ", "info"),
    span(`${shape} `, style),
    lane(
      cutInMiddle(view.label, scene.labelWidth),
      scene.labelWidth,
      "strong",
    ),
  ];
}

interface Shape {
  readonly shape: string;
  readonly style: Style;
}

function shapeOf({ state }: AccountView, { glyphs }: Scene): Shape {
  switch (state) {
    case "ready":
      return { shape: glyphs.fine, style: "good" };
    case "limited":
      return { shape: glyphs.careful, style: "careful" };
    case "spent":
    case "resting":
    case "signed_out":
    case "unreachable":
      return { shape: glyphs.closed, style: "bad" };
    case "paying":
      return { shape: glyphs.paying, style: "paid" };
    case "unknown":
      return { shape: glyphs.unknown, style: "dim" };
    case "off":
    case "reserve":
      return { shape: glyphs.off, style: "dim" };
  }
}

/**
 * Returns why an account does not serve, or that it is paid for, with what
 * fixes it, in `width` cells; null while its windows say everything.
 */
function wordsOf(
  view: AccountView,
  { model }: Scene,
  width: number,
): Line | null {
  const { state, windows } = view;
  const isOpen = state === "ready" || state === "limited";
  if (isOpen && windows.length > 0) return null;
  const { now, look } = model;
  const timeZone = look.timeZone ?? undefined;
  const text = stateText(view, { now, timeZone });
  const isBack = view.until !== null &&
    (state === "spent" || state === "resting");
  const wait = isBack && view.until !== null
    ? `, in ${durationText(view.until.ms - now)}`
    : "";
  const mend = view.mend === null ? "" : `: ${view.mend}`;
  const [short = text] = text.split(/[:(]/, 1);
  const forms = [
    `${text}${wait}${mend}`,
    `${text}${mend}`,
    `${text}${wait}`,
    text,
  ];
  const fitting = forms.find((form) => widthOf(form) <= width);
  return [span(fitting ?? short.trimEnd(), styleOf(view))];
}

function styleOf({ state }: AccountView): Style {
  switch (state) {
    case "spent":
    case "resting":
    case "signed_out":
    case "unreachable":
      return "bad";
    case "paying":
      return "paid";
    default:
      return "dim";
  }
}

/** Returns both windows; where only one has room, the fuller one. */
function windowCells(
  view: AccountView,
  scene: Scene,
  lanes: readonly Lane[],
): Readonly<Record<string, Line>> {
  const five = openWindow(view, "5h");
  const week = openWindow(view, "7d");
  const weekWidth = laneWidth(lanes, "week");
  const width = laneWidth(lanes, "five");
  const line = (window: WindowView | null, width: number): Line =>
    window === null ? [] : windowLine(window, { scene, width });
  if (weekWidth > 0) {
    return { five: line(five, width), week: line(week, weekWidth) };
  }
  const isWeek = (week?.utilization ?? -1) > (five?.utilization ?? -1);
  return { five: line(isWeek ? week : five ?? week, width) };
}

/** Returns what the account does, and how old its figures are. */
function workCells(
  { view, agents, tokens }: AccountGroup,
  scene: Scene,
): Readonly<Record<string, Line>> {
  const { model, glyphs, breadth } = scene;
  const isFull = breadth === "full";
  const { inFlight, inFlightMax, usage } = view;
  const max = inFlightMax === null
    ? ""
    : isFull
    ? ` of ${inFlightMax}`
    : `/${inFlightMax}`;
  const hit = usage.hitShare === null ? "" : percentText(usage.hitShare);
  const isServing = view.state === "ready" || view.state === "limited" ||
    view.state === "paying" || inFlight > 0;
  const warm = agents.filter(({ isWarm }) => isWarm).length;
  const work = agents.length > 0
    ? [plural(agents.length, "agent"), `${warm} warm`, countText(tokens)]
      .join(` ${glyphs.dot} `)
    : view.recent.requests1h > 0
    ? `${plural(view.recent.requests1h, "request")} in 1h`
    : "";
  return {
    age: [span(ageText(view, model.now), "dim")],
    flight: [span(
      isServing ? `${inFlight}${max}` : "",
      inFlight > 0 ? "plain" : "dim",
    )],
    hit: [span(isFull && hit !== "" ? `hit ${hit}` : hit)],
    work: [span(work, agents.length > 0 ? "plain" : "dim")],
    tokens: [span(tokens === 0 ? "" : countText(tokens))],
    error: errorLine(view, model.now),
  };
}

/** Returns the age of the newest figure if it is old; for it one unit is enough. */
function ageText({ windows }: AccountView, now: number): string {
  const newest = windows.reduce<WindowView | null>(
    (last, window) =>
      last === null || window.observedAt.ms > last.observedAt.ms
        ? window
        : last,
    null,
  );
  if (newest === null || !isOld(newest, now)) return "";
  const age = durationText(now - newest.observedAt.ms).split(" ")[0] ?? "";
  return `${age} ago`;
}

function errorLine({ lastError, state }: AccountView, now: number): Line {
  if (lastError === null || state === "spent") return [];
  const age = now - lastError.at.ms;
  if (age > ERROR_MS) return [];
  const status = lastError.status === null ? "" : `${lastError.status} `;
  return [
    span(`${status}${lastError.text} ${durationText(age)} ago`, "careful"),
  ];
}
