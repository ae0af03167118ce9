/**
 * The bottom line: the keys that work now, or a message on what just happened.
 * Also the line above each section, with its title.
 *
 * @module
 */

import { type Line, lineWidth, type Span, span } from "../terminal/line.ts";
import type { Overlay } from "../model.ts";
import type { Scene, Section } from "../scene.ts";

type KeyText = readonly [key: string, text: string];

export function footerLine(scene: Scene): Line {
  const { model } = scene;
  if (model.isFiltering) {
    return [
      span(" / ", "strong"),
      span(model.filter),
      span("▏ "),
      ...keyLine([["Enter", "keep"], ["Esc", "clear"]], 40),
    ];
  }
  if (model.note !== null && model.overlay === null) {
    return [span(` ${model.note.text}`, model.note.style)];
  }
  return keyLine(keysOf(scene), scene.columns);
}

/** Returns as many keys as fit; help and quit, the last two, always do. */
function keyLine(keys: readonly KeyText[], columns: number): Line {
  const spans = keys.map(([key, text]): readonly Span[] => [
    span(`${key} `, "strong"),
    span(text, "dim"),
  ]);
  const tail = spans.slice(-2);
  const line: Span[] = [span(" ")];
  const tailWidth = tail.reduce((sum, pair) => sum + lineWidth(pair) + 2, 0);
  for (const pair of spans.slice(0, -2)) {
    if (lineWidth(line) + lineWidth(pair) + 2 + tailWidth > columns) continue;
    line.push(...pair, span("  "));
  }
  for (const pair of tail) line.push(...pair, span("  "));
  return line;
}

function keysOf(scene: Scene): readonly KeyText[] {
  const { model } = scene;
  if (model.overlay !== null) return overlayKeys(model.overlay);
  const policy = model.status?.server.policy;
  const hasPolicy = policy !== undefined && scene.breadth === "full";
  const row: readonly KeyText[] = model.selected === null
    ? []
    : model.selected.startsWith("account:")
    ? [["Enter", "agents"], ["s", "pin"], ["r", "remove"], ["e", "explain"]]
    : [["e", "explain"], ["y", "copy id"]];
  const common: readonly KeyText[] = [
    ["s", "pin"],
    ["a", "accounts"],
    ["p", hasPolicy ? `policy: ${policy}` : "policy"],
    ["e", "explain"],
    ...(model.undo === null ? [] : [["u", "undo"] as const]),
    ["/", model.filter === "" ? "filter" : `filter: ${model.filter}`],
    ["i", model.areIssuesOpen ? "agents" : "issues"],
    ["o", "sort"],
    ["b", model.isBellOn ? "bell on" : "bell off"],
    ["R", "reload"],
  ];
  const taken = new Set(row.map(([key]) => key));
  return [
    ...row,
    ...common.filter(([key]) => !taken.has(key)),
    ["?", "help"],
    ["q", "quit"],
  ];
}

function overlayKeys(overlay: Overlay): readonly KeyText[] {
  switch (overlay.kind) {
    case "help":
      return [["j/k", "scroll"], ["Esc", "back"], ["q", "quit"]];
    case "confirm":
      return [["y", overlay.yes], ["n", overlay.no]];
    case "write":
      return [["Enter", "take it"], ["Esc", "back"]];
    case "read":
      return [["j/k", "scroll"], ["Esc", "back"]];
    case "choose":
      return overlay.what === "accounts"
        ? [
          ["l", "log in"],
          ["i", "import"],
          ["k", "API key"],
          ["n", "rename"],
          ["t", "on/off"],
          ["+ -", "priority"],
          ["d", "delete"],
          ["↓↑", "move"],
          ["Esc", "back"],
        ]
        : [["j/k", "move"], ["Enter", "choose"], ["Esc", "back"]];
  }
}

/**
 * Width in cells of the line before a title on the left and after one on the
 * right.
 */
const LEAD = 2;

/** Returns the title line of a box; the aside goes where there is no room. */
export function ruleLine(
  scene: Scene,
  section: Section,
  hidden: number,
): Line {
  const { glyphs, columns, model } = scene;
  const isHere = section.pane === model.pane && model.selected !== null;
  const more = hidden > 0 ? ` ${glyphs.dot} ${hidden} more` : "";
  const title = span(
    ` ${section.title}${more} `,
    isHere ? "strong" : "title",
  );
  const aside: Line = section.aside.length === 0
    ? []
    : [span(" "), ...section.aside];
  const room = columns - LEAD - lineWidth([title]) - lineWidth(aside);
  if (room < LEAD) {
    return [
      rule(scene, LEAD),
      title,
      rule(scene, columns - LEAD - lineWidth([title])),
    ];
  }
  return [rule(scene, LEAD), title, rule(scene, room), ...aside];
}

function rule({ glyphs }: Scene, width: number): Span {
  return span(glyphs.rule.repeat(Math.max(0, width)), "dim");
}
