/**
 * The top of the screen: the state of the pool, and the agents at a glance.
 *
 * @module
 */

import {
  countText,
  durationText,
  elapsedText,
  lastsText,
  moneyText,
  payingSumText,
  spendLimitWords,
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

/** A part of a header line; the lowest worth is left out first. */
interface Part {
  readonly line: Line;
  readonly worth: number;
}

/** Returns as many parts as fit, whole and in their order. */
function fitting(
  parts: readonly Part[],
  width: number,
  gaps: readonly string[],
): Line {
  let kept = parts.filter(({ line }) => line.length > 0);
  for (;;) {
    for (const gap of gaps) {
      const line = joined(kept.map((part) => part.line), gap);
      if (lineWidth(line) <= width || kept.length <= 1) {
        return fit(line, width);
      }
    }
    const least = kept.reduce((low, part) =>
      part.worth < low.worth ? part : low
    );
    kept = kept.filter((part) => part !== least);
  }
}

/** Returns the first lines of the screen; always as many as the layout says. */
export function headerLines(scene: Scene): readonly Line[] {
  const { columns, rows } = scene.model.size;
  const { notices } = scene.layout;
  const width = columns - 1;
  const told = noticeLines(scene, Math.max(1, notices));
  const pool = poolLine(scene, width);
  const lines = notices === 0 && told.length > 0 && rows > 0
    ? [pool, ...told]
    : [pool, fleetLine(scene, width), ...told];
  return lines.map((line) => fit([span(" "), ...line], columns));
}

/** Returns what needs a person, each with the command that fixes it. */
function noticeLines({ model, glyphs }: Scene, max: number): readonly Line[] {
  const notices = [...model.status?.notices ?? []]
    .sort((a, b) => Number(b.level === "error") - Number(a.level === "error"));
  const fades = model.link.kind === "lost";
  const rest = notices.length - max;
  return notices.slice(0, max).map(({ level, text, mend }, index): Line => {
    const style = fades ? "dim" : level === "error" ? "bad" : "careful";
    const mark = level === "error" ? glyphs.closed : glyphs.careful;
    const words: Line = [span(`${mark} ${text}`, style)];
    const command: Line = mend === null
      ? []
      : [span(`   ${mend}`, fades ? "dim" : "strong")];
    const more = index < max - 1 || rest <= 0 ? [] : [
      [span(`   ${rest} more: tc status`, "dim")],
      [span(`  +${rest}`, "dim")],
    ];
    // The command is told in full or not at all.
    const forms: readonly Line[] = [
      ...more.map((tail) => [...words, ...command, ...tail]),
      [...words, ...command],
      ...more.map((tail) => [...words, ...tail]),
      words,
    ];
    const room = model.size.columns - 1;
    return forms.find((line) => lineWidth(line) <= room) ?? fit(words, room);
  });
}

/** Returns all that fits the smallest window. */
export function oneLine(scene: Scene): Line {
  const { overlay } = scene.model;
  if (overlay !== null) return questionLine(overlay);
  const parts = [
    [...verdict(scene, ""), ...free(scene, false)],
    nextReset(scene, { word: "next", hasWindow: false }),
    needed(scene),
  ].filter((part) => part.length > 0);
  if (scene.model.link.kind === "lost") parts.unshift(link(scene));
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

/** The worth of what is wrong with the connection: it is never left out. */
const LINK_WORTH = 100;

function poolLine(scene: Scene, width: number): Line {
  const { breadth, glyphs, model } = scene;
  const { status } = model;
  const isFull = breadth === "full";
  const isShort = breadth === "narrow" || breadth === "small";
  const name = status === null || isShort
    ? "tc"
    : isFull
    ? `tc ${status.server.version} ${glyphs.dot} :${status.server.port}`
    : `tc ${glyphs.dot} :${status.server.port}`;
  const pin = status?.server.pin ?? null;
  const lost = link(scene);
  // The range of the forecast goes before anything else.
  const ends = isFull ? [lasts(scene, "whole")] : [];
  const forms = [...ends, lasts(scene, "short")].map((end) => poolParts(end));
  const gaps = isFull ? ["    ", "   ", "  "] : [dotted(scene)];
  const [least = ""] = gaps.slice(-1);
  const chosen = forms.find((parts) =>
    lineWidth(joined(parts.map(({ line }) => line), least)) <= width
  );
  const parts = chosen ?? forms.at(-1) ?? [];
  const fades = model.link.kind === "lost";
  return fitting(fades ? parts.map(faded) : parts, width, gaps);

  /** All but the name and the loss itself are figures of before. */
  function faded(part: Part): Part {
    if (part.worth === LINK_WORTH || part.line[0]?.text === name) return part;
    return { ...part, line: part.line.map(({ text }) => span(text, "dim")) };
  }

  function poolParts(end: Line): readonly Part[] {
    return [
      { line: lost, worth: LINK_WORTH },
      { line: [span(name, "strong")], worth: isShort ? 20 : 60 },
      {
        line: [...(isFull ? [span("pool ")] : []), ...verdict(scene, "word")],
        worth: 99,
      },
      { line: paying(scene), worth: 95 },
      { line: limited(scene), worth: 90 },
      { line: free(scene, isFull), worth: 80 },
      {
        line: nextReset(scene, {
          word: isFull ? "next reset" : "next",
          hasWindow: isFull,
        }),
        worth: 70,
      },
      { line: end, worth: 50 },
      {
        line: pin === null
          ? []
          : [span(`${glyphs.pinned} pinned to ${pin}`, "info")],
        worth: 75,
      },
    ];
  }
}

/** Returns the user's limit on all paid work, with what counts against it. */
function limited({ model }: Scene): Line {
  const limit = model.status?.paidLimit ?? null;
  if (limit === null) return [];
  const isNear = limit.paid + limit.reserved >= NEAR_LIMIT * limit.max;
  return [span(`paid ${spendLimitWords(limit)}`, isNear ? "bad" : "paid")];
}

/** From this part of a limit in dollars on it is shown as nearly reached. */
const NEAR_LIMIT = 0.9;

/** Returns what is paid by the token now; empty while plans cover everything. */
function paying({ model, glyphs }: Scene): Line {
  const text = model.status === null ? null : payingSumText(model.status);
  return text === null ? [] : [span(`${glyphs.paying} ${text}`, "paid")];
}

/** Returns what is wrong with the connection; it stands first. */
function link({ model, glyphs }: Scene): Line {
  switch (model.link.kind) {
    case "connecting":
      return [span("connecting", "dim")];
    case "live":
      return model.status?.server.state === "draining"
        ? [span("stopping: the last requests end", "careful")]
        : [];
    case "lost": {
      const age = durationText(model.now - model.link.since);
      return [span(`${glyphs.closed} no server for ${age}`, "bad")];
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

function free({ model }: Scene, isNamed: boolean): Line {
  const { status } = model;
  if (status === null) return [];
  const { headroom } = status.capacity;
  // A green pool serves, however many sessions there are already.
  const isOpen = headroom === 0 && status.verdict.color === "green";
  const sessions = headroom === 1 ? "session free" : "sessions free";
  return isOpen ? [] : [span(`${headroom} ${isNamed ? sessions : "free"}`)];
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

function fleetLine(scene: Scene, width: number): Line {
  const { agents, breadth, forest, glyphs, model } = scene;
  const isFull = breadth === "full";
  const requests = model.status?.requests ?? [];
  const leads = forest.roots.length === 0 ? 0 : countLeads(scene);
  const members = forest.members.size;
  const solo = agents.length - members;
  const shape = ` (${solo} solo${dotted(scene)}${glyphs.lead} ${leads}${
    dotted(scene)
  }${glyphs.child} ${members - leads})`;
  const tools = agents.filter(({ isToolRunning }) => isToolRunning).length;
  const live = requests.filter(({ state }) => state !== "held").length;
  const [tokens = [], money = [], hits = []] = totals(scene);
  const line = fitting(
    [
      {
        line: [
          span(plural(agents.length, "agent")),
          span(members > 0 && isFull ? shape : ""),
        ],
        worth: 90,
      },
      { line: [span(`${countWarm(scene)} warm`)], worth: 40 },
      { line: needed(scene), worth: 100 },
      { line: collisions(scene), worth: 95 },
      { line: machines(scene), worth: 35 },
      { line: isFull ? [span(`live ${live}`)] : [], worth: 30 },
      { line: isFull ? [span(`tools ${tools}`)] : [], worth: 20 },
      { line: tokens, worth: 60 },
      { line: money, worth: 80 },
      { line: hits, worth: 70 },
      { line: isFull ? up(scene) : [], worth: 10 },
    ],
    width,
    isFull ? ["   ", "  "] : [dotted(scene)],
  );
  const fades = model.link.kind === "lost";
  return fades ? line.map(({ text }) => span(text, "dim")) : line;
}

/** Returns how many machines of a shared pool are there; empty for one alone. */
function machines({ model, breadth }: Scene): Line {
  const all = model.status?.machines ?? [];
  if (all.length === 0) return [];
  const there = all.filter(({ isThere }) => isThere);
  if (there.length < all.length) {
    const text = `${there.length} of ${plural(all.length, "machine")}`;
    return [span(text, "careful")];
  }
  const names = all.map(({ name }) => name).join(", ");
  return [
    span(plural(all.length, "machine")),
    span(breadth === "full" ? `: ${names}` : "", "dim"),
  ];
}

/** Returns since when the sums count. */
function up({ model }: Scene): Line {
  if (model.status === null) return [];
  const ms = model.now - model.status.server.startedAt.ms;
  return [span(`up ${elapsedText(ms).split(" ")[0] ?? ""}`, "dim")];
}

function collisions({ agents }: Scene): Line {
  const count =
    new Set(agents.filter((a) => a.collides).map(({ issue }) => issue)).size;
  return count === 0 ? [] : [span(`${count} collide`, "careful")];
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
