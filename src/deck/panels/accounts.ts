/**
 * The accounts with their quota, and the agents that each serves. Where they
 * are more than the box has rows, those at work have rows and the idle ones
 * share the last line.
 *
 * @module
 */

import { countText, spentText } from "../../control/words.ts";
import type { AccountStateName } from "../../control/protocol.ts";
import { agentName, agentRow } from "./agent_row.ts";
import { accountLanes, accountLine } from "./account_line.ts";
import { windowLine, WORDS_WIDTH } from "./bar.ts";
import type { Lane } from "../terminal/lanes.ts";
import {
  joined,
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

/** Most lines of one account where there is room. */
const LINES_MAX = 3;

export function accountsSection(scene: Scene): Section {
  const { groups, unrouted, model, glyphs } = scene;
  const lanes = accountLanes(scene);
  const room = (scene.layout.boxes.get("accounts")?.height ?? 1) - 1;
  const each = Math.min(LINES_MAX, Math.floor(room / (groups.length || 1)));
  const isHere = model.pane === "accounts" && model.selected !== null;
  const isCrowded = each === 0 && !isHere && model.filter.trim() === "";
  const idle = isCrowded ? groups.filter((group) => isIdle(group, scene)) : [];
  const shown = groups.filter((group) => !idle.includes(group));
  const rows = shown.flatMap((group) => [
    headRow(group, scene, { lanes, lines: Math.max(1, each) }),
    ...memberRows(group, scene),
  ]);
  const { accounts: sort } = model.sort;
  return {
    box: "accounts",
    pane: "accounts",
    title: [
      "accounts",
      ...(groups.length > 0 ? [String(groups.length)] : []),
      ...(sort === "set" ? [] : [`by ${sort}`]),
    ].join(` ${glyphs.dot} `),
    aside: unrouted.length === 0 ? [] : [
      span(`${unrouted.length} without an account yet `, "dim"),
    ],
    rows: groups.length === 0
      ? [{
        key: null,
        lines: [[span(`   ${emptyText(scene)}`, "dim")]],
        search: "",
      }]
      : filtered(rows, model),
    rest: idle.length === 0 ? null : idleLine(idle, scene),
  };
}

function emptyText({ model }: Scene): string {
  return model.status === null
    ? "no figures yet"
    : "none yet: press a, or type tc login";
}

/** States in which an account needs no row while nothing uses it. */
const CALM: ReadonlySet<AccountStateName> = new Set([
  "ready",
  "limited",
  "spent",
  "off",
  "unknown",
  "reserve",
]);

function isIdle({ view, agents }: AccountGroup, { model }: Scene): boolean {
  return CALM.has(view.state) && view.inFlight === 0 &&
    view.recent.requests15m === 0 && view.conversations === 0 &&
    agents.length === 0 && model.status?.server.pin !== view.label &&
    !model.openAccounts.has(view.label);
}

/** Returns `52 idle: 40 ready · 12 used up   a-01  a-02  … 50 more`. */
function idleLine(idle: readonly AccountGroup[], scene: Scene): Line {
  const { glyphs, columns } = scene;
  const counts = [...CALM].flatMap((state) => {
    const count = idle.filter(({ view }) => view.state === state).length;
    return count === 0 ? [] : [`${count} ${IDLE_WORDS[state] ?? state}`];
  });
  const head = [
    span(` ${glyphs.off} `, "dim"),
    span(`${idle.length} idle`, "strong"),
  ];
  counts.forEach((count, index) => {
    const part = span(index === 0 ? `: ${count}` : ` ${glyphs.dot} ${count}`);
    if (lineWidth([...head, part]) <= columns) head.push(part);
  });
  const names: Span[] = [];
  let shown = 0;
  for (const { view } of idle) {
    const next = span(`  ${view.label}`, "dim");
    const more = idle.length - shown - 1;
    const tail = more === 0 ? [] : [span(`  ${more} more`, "dim")];
    if (lineWidth([...head, ...names, next, ...tail]) > columns) break;
    names.push(next);
    shown++;
  }
  const more = idle.length - shown;
  const isAll = more === 0 || shown === 0;
  return [
    ...head,
    ...names,
    ...(isAll ? [] : [span(`  ${more} more`, "dim")]),
  ];
}

const IDLE_WORDS: Readonly<Partial<Record<AccountStateName, string>>> = {
  limited: "nearly full",
  spent: "used up",
  unknown: "without figures",
  reserve: "in reserve",
};

function headRow(
  group: AccountGroup,
  scene: Scene,
  { lanes, lines }: {
    readonly lanes: readonly Lane[];
    readonly lines: number;
  },
): Row {
  const { view, agents } = group;
  const isOpen = scene.model.openAccounts.has(view.label);
  const search = [
    view.label,
    view.kind,
    view.word,
    view.reason ?? "",
    ...agents.map(({ label }) => label),
  ].join(" ");
  return {
    key: `account:${view.label}`,
    lines: [
      ...[
        accountLine(group, scene, lanes),
        chipLine(group, scene),
        moreLine(group, scene),
      ].slice(0, lines),
      ...(isOpen ? openLines(group, scene) : []),
    ],
    search,
  };
}

/** Returns every agent of an account that is open. */
function memberRows(group: AccountGroup, scene: Scene): readonly Row[] {
  if (!scene.model.openAccounts.has(group.view.label)) return [];
  return group.agents.map((agent) =>
    agentRow(agent, scene, { prefix: "  ", glyph: "", sum: null })
  );
}

/** Lines of an open account that say when its windows run out; always two. */
function openLines(group: AccountGroup, scene: Scene): readonly Line[] {
  const [first = [], second = []] = endLines(group, scene);
  return [first, second];
}

/** Returns when its windows may run out. */
function endLines({ view }: AccountGroup, { model }: Scene): readonly Line[] {
  const time = { now: model.now, timeZone: model.look.timeZone };
  return view.windows.flatMap((window) => {
    const text = spentText(window, time);
    return text === null ? [] : [[span(`${INDENT}${text}`, "dim")]];
  });
}

/** Returns `🦊 D-101 10k   🐙 D-102 5.0k`, as many as fit. */
function chipLine({ agents }: AccountGroup, scene: Scene): Line {
  const line: Span[] = [span(INDENT)];
  let shown = 0;
  for (const agent of agents) {
    const chip = [
      span(agentName(agent), agent.need === null ? "plain" : "bad"),
      span(` ${countText(agent.tokens ?? 0)}   `, "dim"),
    ];
    const more = agents.length - shown - 1;
    const tail = more === 0 ? 0 : ` ${more} more`.length;
    if (lineWidth([...line, ...chip]) + tail > scene.columns) break;
    line.push(...chip);
    shown++;
  }
  const more = agents.length - shown;
  return more === 0 ? line : [...line, span(`${more} more`, "dim")];
}

/** Returns the windows of single models, learned limits and what runs out. */
function moreLine(group: AccountGroup, scene: Scene): Line {
  const { view } = group;
  const { glyphs, columns } = scene;
  const parts: readonly Line[] = [
    ...view.windows.filter(({ family }) => family !== null).map((window) =>
      windowLine(window, { scene, width: WORDS_WIDTH })
    ),
    ...view.learnedLimits.map(({ what, limit }): Line => [
      span(`${limit} ${what}`, "dim"),
    ]),
    ...endLines(group, scene).map((line): Line =>
      line.map(({ text, style }) => span(text.trimStart(), style))
    ),
  ];
  const fitting: Line[] = [];
  for (const part of parts) {
    const line = joined([...fitting, part], ` ${glyphs.dot} `);
    if (lineWidth(line) + INDENT.length <= columns) fitting.push(part);
  }
  return [span(INDENT), ...joined(fitting, ` ${glyphs.dot} `)];
}
