/**
 * The top of the screen: the state of the pool, and the agents at a glance.
 *
 * @module
 */

import {
  countText,
  durationText,
  lastsText,
  moneyText,
} from "../../control/words.ts";
import { plural } from "../figures.ts";
import {
  fit,
  joined,
  type Line,
  lineWidth,
  span,
  type Style,
} from "../terminal/line.ts";
import type { Overlay } from "../model.ts";
import type { Scene } from "../scene.ts";
import type { Glyphs } from "../terminal/theme.ts";

const VERDICT_STYLE: Readonly<Record<string, Style>> = {
  green: "good",
  yellow: "careful",
  red: "bad",
};

/** Notices push lists off the screen, so only a few are shown. */
const NOTICES_MAX = 3;
const ROWS_FOR_NOTICES = 20;

/** Returns the first lines of the screen. */
export function headerLines(scene: Scene): readonly Line[] {
  const lines = scene.breadth === "full"
    ? [poolFull(scene), fleetFull(scene)]
    : [poolShort(scene), fleetShort(scene)];
  return [...lines, ...noticeLines(scene)]
    .map((line) => fit([span(" "), ...line], scene.columns));
}

/** Returns what needs a person, each with the command that fixes it. */
function noticeLines({ model, glyphs }: Scene): readonly Line[] {
  const notices = model.status?.notices ?? [];
  const max = model.size.rows < ROWS_FOR_NOTICES ? 1 : NOTICES_MAX;
  const lines = notices.slice(0, max).map(({ level, text, mend }): Line => {
    const style = level === "error" ? "bad" : "careful";
    const mark = level === "error" ? glyphs.closed : glyphs.careful;
    return [
      span(`${mark} ${text}`, style),
      span(mend === null ? "" : `   ${mend}`, "strong"),
    ];
  });
  const rest = notices.length - lines.length;
  return rest > 0
    ? [...lines, [span(`${plural(rest, "more notice")}: tc status`, "dim")]]
    : lines;
}

/** Returns all that fits the smallest window. */
export function oneLine(scene: Scene): Line {
  const { overlay } = scene.model;
  if (overlay !== null) return questionLine(overlay);
  const parts = [
    [...verdict(scene, ""), ...free(scene, "free")],
    nextReset(scene, { word: "next", hasWindow: false }),
    needed(scene),
  ];
  return joined([[span("tc")], joined(parts, dotted(scene))], " ");
}

/** Returns a question in one line where a panel has no room: title and keys. */
function questionLine(overlay: Overlay): Line {
  const title = overlay.kind === "help" ? "Keys" : overlay.title;
  const keys = overlay.kind === "confirm"
    ? `y ${overlay.yes}  n ${overlay.no}`
    : "Esc back";
  return [span(`${title}  `, "strong"), span(keys)];
}

function dotted({ glyphs }: Scene): string {
  return ` ${glyphs.dot} `;
}

function poolFull(scene: Scene): Line {
  const { status } = scene.model;
  const name = status === null
    ? "tc"
    : `tc ${status.server.version} ${scene.glyphs.dot} :${status.server.port}`;
  const pin = status?.server.pin ?? null;
  const parts: readonly Line[] = [
    [span(name.padEnd(23), "strong")],
    [span("pool "), ...verdict(scene, "word")],
    paying(scene),
    free(scene, "sessions free"),
    nextReset(scene, { word: "next reset", hasWindow: true }),
    pin === null ? [] : [span(`pinned to ${pin}`, "info")],
    link(scene),
  ];
  const short = lasts(scene, "short");
  const tries = [
    joined([...parts, lasts(scene, "whole")], "   "),
    joined([...parts, short], "   "),
  ];
  return tries.find((line) => lineWidth(line) < scene.columns) ??
    joined([...parts, short], "  ");
}

function poolShort(scene: Scene): Line {
  const { status } = scene.model;
  const isMedium = scene.breadth === "medium";
  const port = status !== null && isMedium ? ` :${status.server.port}  ` : "";
  const pin = status?.server.pin ?? null;
  const parts = joined([
    verdict(scene, "word"),
    paying(scene),
    free(scene, "free"),
    nextReset(scene, { word: "next", hasWindow: false }),
    isMedium ? lasts(scene, "short") : [],
    pin === null || !isMedium ? [] : [span(`pin ${pin}`, "info")],
    link(scene),
  ], dotted(scene));
  const name = isMedium && port !== "" ? `tc ${scene.glyphs.dot}` : "tc";
  return [span(name, "strong"), span(`${port} `), ...parts];
}

/** Returns what is paid by the token now; empty while plans cover everything. */
function paying({ model, glyphs }: Scene): Line {
  const cost = model.status?.accounts
    .flatMap(({ paying }) => paying === null ? [] : [paying.cost ?? 0]) ?? [];
  if (cost.length === 0) return [];
  const sum = cost.reduce((total, each) => total + each, 0);
  return [span(`${glyphs.paying} paying ${moneyText(sum)}`, "paid")];
}

function link({ model }: Scene): Line {
  switch (model.link.kind) {
    case "connecting":
      return [span("connecting", "dim")];
    case "live":
      return model.status?.server.state === "draining"
        ? [span("stopping: the last requests end", "careful")]
        : [];
    case "lost": {
      const age = durationText(model.now - model.link.since);
      return [
        span(`server not reached for ${age}, trying again`, "bad"),
      ];
    }
  }
}

function shapeOf(verdict: string, glyphs: Glyphs): string {
  if (verdict === "green") return glyphs.fine;
  return verdict === "yellow" ? glyphs.careful : glyphs.closed;
}

function verdict({ model, glyphs }: Scene, form: "word" | ""): Line {
  const { status } = model;
  if (status === null) return [span(glyphs.unknown, "dim")];
  const { color: verdict } = status.verdict;
  const word = form === "" ? " " : ` ${verdict}`;
  // The last verdict of a server that cannot be reached is not a verdict on
  // now.
  if (model.link.kind === "lost") {
    return [span(`${glyphs.unknown} was${word}`, "dim")];
  }
  return [
    span(`${shapeOf(verdict, glyphs)}${word}`, VERDICT_STYLE[verdict]),
  ];
}

function free({ model }: Scene, word: string): Line {
  const { status } = model;
  if (status === null) return [];
  const { headroom } = status.capacity;
  // A green pool serves, however many sessions there are already.
  const isOpen = headroom === 0 && status.verdict.color === "green";
  return isOpen ? [] : [span(`${headroom} ${word}`)];
}

function nextReset(
  { model }: Scene,
  { word, hasWindow }: { readonly word: string; readonly hasWindow: boolean },
): Line {
  const reset = model.status?.nextReset ?? null;
  if (reset === null) return [];
  const wait = durationText(reset.at.ms - model.now);
  const which = hasWindow ? ` (${reset.account} ${reset.window})` : "";
  return [span(`${word} ${wait}${which}`)];
}

/** Returns how long the pool lasts; `whole` adds the uncertainty. */
function lasts({ model }: Scene, form: "whole" | "short"): Line {
  const { status, now, look } = model;
  if (status === null || status.verdict.color === "red") return [];
  const text = lastsText(
    form === "whole"
      ? status.forecast
      : { ...status.forecast, lastsBetween: null },
    { now, timeZone: look.timeZone },
  );
  return text === null ? [] : [span(text)];
}

function needed({ agents }: Scene): Line {
  const count = agents.filter(({ need }) => need !== null).length;
  return count === 0 ? [] : [span(`${count} need you`, "bad")];
}

function fleetFull(scene: Scene): Line {
  const { agents, forest, glyphs, model } = scene;
  const requests = model.status?.requests ?? [];
  const leads = forest.roots.length === 0 ? 0 : countLeads(scene);
  const members = forest.members.size;
  const solo = agents.length - members;
  const shape = ` (${solo} solo${dotted(scene)}${glyphs.lead} ${leads}${
    dotted(scene)
  }${glyphs.child} ${members - leads})`;
  const tools = agents.filter(({ isToolRunning }) => isToolRunning).length;
  const live = requests.filter(({ state }) => state !== "held").length;
  const parts: readonly Line[] = [
    [
      span("fleet  ", "dim"),
      span(plural(agents.length, "agent")),
      span(members > 0 ? shape : ""),
    ],
    [span(`${countWarm(scene)} warm`)],
    needed(scene),
    collisions(scene),
    [span(`live ${live}`)],
    [span(`tools ${tools}`)],
    ...totals(scene),
    up(scene),
  ];
  const tries = [joined(parts, "   "), joined(parts, "  ")];
  return tries.find((line) => lineWidth(line) < scene.columns) ??
    joined(parts.slice(0, -1), "  ");
}

/** Returns since when the sums count. */
function up({ model }: Scene): Line {
  if (model.status === null) return [];
  const ms = model.now - model.status.server.startedAt.ms;
  return [span(`up ${durationText(ms).split(" ")[0] ?? ""}`, "dim")];
}

function collisions({ agents }: Scene): Line {
  const count =
    new Set(agents.filter((a) => a.collides).map(({ issue }) => issue)).size;
  return count === 0 ? [] : [span(`${count} collide`, "careful")];
}

function fleetShort(scene: Scene): Line {
  const { agents } = scene;
  const isMedium = scene.breadth === "medium";
  return joined([
    [span(plural(agents.length, "agent"))],
    isMedium ? [span(`${countWarm(scene)} warm`)] : [],
    needed(scene),
    ...(isMedium ? totals(scene) : totals(scene).slice(1, 2)),
  ], dotted(scene));
}

function countLeads({ forest, agents }: Scene): number {
  const parents = new Set(
    agents.filter(({ id }) => forest.members.has(id)).map((a) => a.parentId),
  );
  return agents.filter(({ id, issueId }) =>
    forest.members.has(id) && parents.has(issueId) && issueId !== null
  ).length;
}

function countWarm({ agents }: Scene): number {
  return agents.filter(({ isWarm }) => isWarm).length;
}

/** Returns tokens, cost and cache hits since the server started. */
function totals({ model, breadth, glyphs }: Scene): readonly Line[] {
  const { status } = model;
  if (status === null) return [[], [], []];
  const { input, output, paid, worth, hitShare } = status.usage;
  return [
    [span(`${countText(input + output)} tok`)],
    [
      ...paid === null ? [] : [span(`paid ${moneyText(paid)}`, "paid")],
      ...paid === null || worth === null
        ? []
        : [span(` ${glyphs.dot} `, "dim")],
      ...worth === null ? [] : [span(`worth ${moneyText(worth)}`)],
    ],
    hitShare === null ? [] : [
      span(
        `hit ${Math.round(hitShare * 100)}%`,
        breadth === "full" ? "plain" : "dim",
      ),
    ],
  ];
}
