/**
 * Menus, questions and help: a panel over the screen, never a new screen.
 *
 * @module
 */

import type { Canvas } from "../terminal/frame.ts";
import { widthOf } from "../terminal/grapheme.ts";
import { fit, type Line, lineWidth, span, spread } from "../terminal/line.ts";
import type { Overlay } from "../model.ts";
import type { Scene } from "../scene.ts";

const WIDTH_MAX = 78;
const MARGIN = 2;

interface BoxRow {
  readonly line: Line;
  readonly isSelected: boolean;
}

/** Draws the open overlay in the middle of the screen. */
export function drawOverlay(canvas: Canvas, scene: Scene): void {
  const { overlay } = scene.model;
  if (overlay === null) return;
  const { columns, rows } = canvas.size;
  const inner = Math.min(WIDTH_MAX, columns - 2 * MARGIN) - 4;
  const room = rows - 3;
  const box = boxRows(overlay, { scene, width: inner, room });
  const shown = box.slice(0, Math.max(1, room));
  const top = Math.max(0, Math.floor((rows - shown.length - 2) / 2));
  const column = Math.max(0, Math.floor((columns - inner - 4) / 2));
  const { corners, side, rule } = scene.glyphs;
  const title = ` ${titleOf(overlay)} `;
  canvas.put([
    span(corners[0], "dim"),
    ...fit([span(title, "strong")], inner + 1),
    span(rule.repeat(Math.max(0, inner + 2 - widthOf(title))), "dim"),
    span(corners[1], "dim"),
  ], { row: top, column });
  shown.forEach(({ line, isSelected }, index) => {
    const row = top + 1 + index;
    const body = fit(line, inner);
    const rest = " ".repeat(Math.max(0, inner - lineWidth(body)));
    canvas.put([span(`${side} `, "dim")], { row, column });
    canvas.put([...body, span(rest)], {
      row,
      column: column + 2,
      isSelected,
    });
    canvas.put([span(` ${side}`, "dim")], { row, column: column + inner + 2 });
  });
  canvas.put([
    span(`${corners[2]}${rule.repeat(inner + 2)}${corners[3]}`, "dim"),
  ], { row: top + shown.length + 1, column });
}

function titleOf(overlay: Overlay): string {
  return overlay.kind === "help" ? "Keys" : overlay.title;
}

interface BoxOptions {
  readonly scene: Scene;
  readonly width: number;
  readonly room: number;
}

function boxRows(overlay: Overlay, options: BoxOptions): readonly BoxRow[] {
  switch (overlay.kind) {
    case "help":
      return HELP.map(([key, text]) =>
        plain([span(key.padEnd(12), "strong"), span(text)])
      );
    case "confirm":
      return [
        ...overlay.lines.flatMap((text) => wrapped(text, options.width)),
        answers(overlay, options),
      ];
    case "write":
      return [
        ...overlay.lines.flatMap((text) => wrapped(text, options.width)),
        plain([span("> ", "strong"), span(overlay.text), span("▏")]),
      ];
    case "read": {
      const lines = overlay.lines.flatMap((text) =>
        wrapped(text, options.width)
      );
      const last = Math.max(0, lines.length - Math.max(1, options.room));
      return lines.slice(Math.min(overlay.from, last));
    }
    case "choose":
      return choices(overlay, options);
  }
}

function plain(line: Line): BoxRow {
  return { line, isSelected: false };
}

function answers(
  { yes, no }: Overlay & { readonly kind: "confirm" },
  { width }: BoxOptions,
): BoxRow {
  const right: Line = [
    span("y ", "strong"),
    span(`${yes}  `),
    span("n ", "strong"),
    span(no),
  ];
  return plain(spread([], right, { width, fill: span(" ") }));
}

function choices(
  overlay: Overlay & { readonly kind: "choose" },
  { scene, width, room }: BoxOptions,
): readonly BoxRow[] {
  if (overlay.choices.length === 0) {
    return [plain([span("Nothing to choose from", "dim")])];
  }
  const label = Math.min(
    width - 4,
    Math.max(...overlay.choices.map((choice) => widthOf(choice.label))) + 2,
  );
  const rows = overlay.choices.map((choice, index): BoxRow => ({
    line: [
      ...fit([span(choice.label)], label),
      span(" ".repeat(Math.max(1, label - widthOf(choice.label)))),
      ...fit([span(choice.note, "dim")], width - label),
    ],
    isSelected: index === overlay.at,
  }));
  const keys: readonly BoxRow[] = overlay.what === "accounts"
    ? [
      plain([]),
      plain([span(
        scene.breadth === "small"
          ? "l i k add  n t d change"
          : "add: l log in, i import, k API key   n rename  t on/off  d delete",
        "dim",
      )]),
    ]
    : [];
  const height = Math.max(1, room - keys.length);
  const from = Math.max(0, overlay.at - height + 1);
  return [...rows.slice(from, from + height), ...keys];
}

/** Breaks `text` at spaces into lines of `width` cells; the indent is kept. */
function wrapped(text: string, width: number): readonly BoxRow[] {
  const indent = /^ */.exec(text)?.[0] ?? "";
  const rows: string[] = [];
  let line = indent;
  for (const word of text.trimStart().split(" ")) {
    const isFirst = line === indent;
    if (!isFirst && widthOf(line) + 1 + widthOf(word) > width) {
      rows.push(line);
      line = `${indent}${word}`;
    } else line = isFirst ? `${line}${word}` : `${line} ${word}`;
  }
  rows.push(line);
  return rows.map((row) => plain([span(row)]));
}

const HELP: readonly (readonly [keys: string, text: string])[] = [
  ["j k ↓ ↑", "move in a list; g G to its ends; Ctrl-L draws anew"],
  ["Tab", "next list; Shift-Tab the one before"],
  ["Enter", "agents of an account; Esc takes the cursor away"],
  ["/", "filter by any word of a row"],
  ["e", "explain the row: why it is where it is"],
  ["s", "pin an account: new and returning work goes there"],
  ["a", "accounts: log in, import, key, rename, on/off, delete"],
  ["r", "remove an account"],
  ["p", "choose the policy"],
  ["R", "read config and accounts again"],
  ["i", "all issues, or the first eight"],
  ["b", "ring when somebody needs you, or be silent"],
  ["q", "leave; asks where that stops the server"],
  ["● ▲ ■ ◌ ○", "fine, careful, closed, unknown, off or in reserve"],
  ["█ ┃", "spent; where an even spend would be now"],
  ["↑ → ↓", "room to spare, on pace, ahead of it; then the reset"],
  ["► ◆", "needs you (pinned, on an account); two on one issue"],
  ["☂ ↳ ⚙ ~", "leads, works for one; a tool runs, the cache is warm"],
  ["tok $ hit", "sums since the server started, up says how long"],
  ["hit miss ✎", "read from cache, not in it, written anew"],
];
