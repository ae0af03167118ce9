/**
 * One account as a line: shape, name, plan, windows or the reason why it is
 * closed, and what it does.
 *
 * @module
 */

import type { AccountView } from "../../control/protocol.ts";
import { countText, durationText, percentText } from "../../control/words.ts";
import { stateText } from "../../control/state_text.ts";
import { plural } from "../figures.ts";
import {
  figure,
  lane,
  type Line,
  lineWidth,
  type Span,
  span,
  type Style,
} from "../terminal/line.ts";
import type { AccountGroup, Scene } from "../scene.ts";
import { openWindow, windowBar, windowLine, windowWords } from "./bar.ts";

const BAR_MIN = 5;
const BAR_MAX = 16;
const TIER_WIDTH = 8;
const IN_FLIGHT_WIDTH = 9;
const HIT_WIDTH = 8;

/**
 * The widths that all account lines share, so that their figures stand in
 * columns.
 */
interface AccountTexts {
  /** Width in cells of the longest words of a 5h and of a 7d window. */
  readonly fiveHour: number;
  readonly week: number;
  readonly bar: number;
}

export function accountTexts(scene: Scene): AccountTexts {
  const { groups, columns, breadth } = scene;
  const fiveHour = widestWords(scene, "5h");
  const week = widestWords(scene, "7d");
  const rollUp = Math.max(
    0,
    ...groups.map((group) => lineWidth(rollUpLine(group, scene))),
  );
  const isFull = breadth === "full";
  const bars = isFull ? 2 : 1;
  const fixed = scene.labelWidth + fiveHour + week +
    (isFull ? 4 + TIER_WIDTH + 20 + IN_FLIGHT_WIDTH + HIT_WIDTH + rollUp : 32);
  const room = Math.floor((columns - fixed) / bars);
  const bar = Math.max(BAR_MIN, Math.min(isFull ? BAR_MAX : 10, room));
  // The remaining width goes to the words of a spent window.
  const spare = Math.max(0, columns - fixed - bars * bar);
  const missing = widestSpent(scene, "5h") - (bar + fiveHour + 6);
  const more = Math.max(0, Math.min(spare, missing));
  return { fiveHour: fiveHour + more, week, bar };
}

function widestWords({ groups, glyphs, model }: Scene, key: string): number {
  const widths = groups.flatMap(({ view }) => {
    const window = openWindow(view, key);
    return window === null
      ? []
      : [lineWidth(windowLine(window, glyphs, model.now))];
  });
  return Math.max(0, ...widths);
}

function widestSpent(scene: Scene, key: string): number {
  return Math.max(
    0,
    ...scene.groups.map(({ view }) =>
      openWindow(view, key) === null
        ? lineWidth(windowWords(view, key, { scene, width: 0, isWhole: true }))
        : 0
    ),
  );
}

export function accountLine(
  group: AccountGroup,
  scene: Scene,
  texts: AccountTexts,
): Line {
  const { view } = group;
  const { style, shape } = shapeOf(view, scene);
  const name = lane(view.label, scene.labelWidth + 1, "strong");
  const isPinned = scene.model.status?.server.pin === view.label;
  const pin = isPinned ? scene.glyphs.needsYou : " ";
  const head: Line = [span(pin, "good"), span(`${shape} `, style), name];
  if (view.windows.length === 0 || scene.breadth === "small") {
    const body = view.windows.length === 0
      ? [...plan(view, scene), ...wordLine(view, scene)]
      : worst(view, scene);
    return [...head, ...body];
  }
  switch (scene.breadth) {
    case "full":
      return [...head, ...plan(view, scene), ...full(group, scene, texts)];
    case "medium":
      return [...head, ...medium(group, scene, texts)];
    case "narrow":
      return [
        ...head,
        ...windowWords(view, "5h", {
          scene,
          width: Math.max(20, texts.fiveHour + 3),
        }),
        span("   "),
        ...(isBarred(view)
          ? [barredSpan(view, scene)]
          : windowWords(view, "7d", { scene, width: texts.week + 3 })),
      ];
  }
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

function plan(view: AccountView, { breadth }: Scene): Line {
  return breadth === "full"
    ? [lane(planText(view), TIER_WIDTH + 1, "dim")]
    : [];
}

function planText({ kind, tier }: AccountView): string {
  if (kind === "api_key") return "API key";
  if (kind === "backend") return "backend";
  if (tier === "unknown") return kind === "setup_token" ? "token" : "plan ?";
  const text = tier.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * Returns the line of an account without figures: its state, and what fixes it.
 */
function wordLine(view: AccountView, { model, glyphs }: Scene): Line {
  const mend = view.mend === null ? "" : `: ${view.mend}`;
  const style = view.word === "needs_login" || view.word === "quarantined" ||
      view.word === "closed"
    ? "bad"
    : "dim";
  const used = view.recent.requests1h > 0
    ? ` ${glyphs.dot} ${
      plural(view.recent.requests1h, "request")
    } in the last hour`
    : "";
  return [span(`${words(view, model)}${mend}`, style), span(used, "dim")];
}

function full(
  group: AccountGroup,
  scene: Scene,
  texts: AccountTexts,
): Line {
  const { view } = group;
  const { glyphs, model } = scene;
  const max = view.inFlightMax === null ? "" : ` of ${view.inFlightMax}`;
  const hit = view.usage.hitShare;
  return [
    ...windowBar(view, "5h", { scene, bar: texts.bar, width: texts.fiveHour }),
    span("  "),
    ...windowBar(view, "7d", { scene, bar: texts.bar, width: texts.week }),
    span("  "),
    ...(isBarred(view) ? [barredSpan(view, scene), span("  ")] : [
      lane(`${view.inFlight}${max}`, IN_FLIGHT_WIDTH),
      lane(hit === null ? "" : `hit ${percentText(hit)}`, HIT_WIDTH),
      span(" "),
    ]),
    ...(group.agents.length > 0 || view.recent.requests1h === 0
      ? rollUpLine(group, scene)
      : [span(`${plural(view.recent.requests1h, "request")} in 1h`, "dim")]),
    ...errorLine(view, { glyphs, now: model.now }),
  ];
}

/**
 * Whether something other than a spent window closes it, which its figures do
 * not show.
 */
function isBarred(view: AccountView): boolean {
  const isShut = view.word === "closed" || view.word === "quarantined" ||
    view.word === "needs_login" || view.word === "off";
  return isShut &&
    view.windows.every((window) => openWindow(view, window.key) !== null);
}

/** Returns `paused until 13:24: overloaded, in 4s`. */
function barredSpan(view: AccountView, { model }: Scene): Span {
  return span(words(view, model), view.word === "off" ? "dim" : "bad");
}

/** Returns the account's state, and in how long that changes. */
function words(view: AccountView, { now, look }: Scene["model"]): string {
  const timeZone = look.timeZone ?? undefined;
  const text = stateText(view, { now, timeZone });
  const isBack = view.until !== null &&
    ["spent", "resting"].includes(view.state);
  return isBack && view.until !== null
    ? `${text}, in ${durationText(view.until.ms - now)}`
    : text;
}

/**
 * Returns an error of the last minutes; the line is cut if there is no room.
 */
function errorLine(
  { lastError, word }: AccountView,
  { glyphs, now }: { readonly glyphs: Scene["glyphs"]; readonly now: number },
): Line {
  if (lastError === null || word === "closed") return [];
  const age = now - lastError.at.ms;
  if (age > ERROR_MS) return [];
  const status = lastError.status === null ? "" : `${lastError.status} `;
  return [
    span(
      ` ${glyphs.dot} ${status}${lastError.text} ${durationText(age)} ago`,
      "careful",
    ),
  ];
}

const ERROR_MS = 15 * 60_000;

function rollUpLine({ agents, tokens }: AccountGroup, scene: Scene): Line {
  if (agents.length === 0) return [];
  const live = agents.filter(({ isWarm }) => isWarm).length;
  const dot = ` ${scene.glyphs.dot} `;
  return [
    span(
      [plural(agents.length, "agent"), `${live} live`, countText(tokens)]
        .join(dot),
    ),
  ];
}

/** Returns one bar and the figures of the week. */
function medium(
  group: AccountGroup,
  scene: Scene,
  texts: AccountTexts,
): Line {
  const { view, tokens } = group;
  const max = view.inFlightMax === null ? "" : `/${view.inFlightMax}`;
  const hit = view.usage.hitShare;
  return [
    ...windowBar(view, "5h", { scene, bar: texts.bar, width: texts.fiveHour }),
    span("  "),
    ...(isBarred(view)
      ? [lane(barredSpan(view, scene).text, texts.week + 15, "bad")]
      : [
        ...windowWords(view, "7d", { scene, width: texts.week + 3 }),
        figure(`${view.inFlight}${max}`, 6),
        figure(hit === null ? "" : percentText(hit), 6),
      ]),
    figure(tokens === 0 ? "" : countText(tokens), 6),
  ];
}

/** Returns only the fullest window. */
function worst(view: AccountView, scene: Scene): Line {
  const [fullest] = [...view.windows]
    .filter(({ family }) => family === null)
    .sort((a, b) => (b.utilization ?? 0) - (a.utilization ?? 0));
  if (fullest === undefined) return wordLine(view, scene);
  const width = scene.columns - scene.labelWidth - 4;
  return windowWords(view, fullest.key, { scene, width });
}
