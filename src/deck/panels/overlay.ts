/**
 * Menus, questions and help: a panel over the screen, never a new screen.
 *
 * @module
 */

import type { Canvas } from "../terminal/frame.ts";
import { padEnd, widthOf } from "../terminal/grapheme.ts";
import { fit, type Line, lineWidth, span, spread } from "../terminal/line.ts";
import type { Overlay } from "../model.ts";
import type { Scene } from "../scene.ts";
import { helpLines } from "./help.ts";

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
  const options = optionsFor(scene);
  const { width: inner, room } = options;
  const box = boxRows(overlay, options);
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
  return overlay.kind === "help" ? "Keys and signs" : overlay.title;
}

interface BoxOptions {
  readonly scene: Scene;
  readonly width: number;
  readonly room: number;
}

function boxRows(overlay: Overlay, options: BoxOptions): readonly BoxRow[] {
  switch (overlay.kind) {
    case "help":
      return scrolled(helpRows(options), overlay.from, options);
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
    case "read":
      return scrolled(readRows(overlay.lines, options), overlay.from, options);
    case "choose":
      return choices(overlay, options);
  }
}

const KEY_WIDTH = 12;

function helpRows({ scene, width }: BoxOptions): readonly BoxRow[] {
  return helpLines(scene.glyphs).flatMap(({ key, text }) => {
    if (text === "") return [plain([span(key, "title")])];
    const lead = span(` ${padEnd(key, KEY_WIDTH - 1)}`, "strong");
    const rest = span(" ".repeat(KEY_WIDTH));
    return wrapped(text, width - KEY_WIDTH).map(({ line }, index) =>
      plain([index === 0 ? lead : rest, ...line])
    );
  });
}

/** Returns how far the open panel can be scrolled. */
export function scrollEnd(scene: Scene): number {
  const { model } = scene;
  const { overlay } = model;
  const options = optionsFor(scene);
  const rows = overlay?.kind === "help"
    ? helpRows(options)
    : overlay?.kind === "read"
    ? readRows(overlay.lines, options)
    : [];
  return rows.length <= options.room ? 0 : rows.length - options.room + 1;
}

function readRows(
  lines: readonly string[],
  { width }: BoxOptions,
): readonly BoxRow[] {
  return lines.flatMap((text) => wrapped(text, width));
}

/** Returns the cells of a line in a panel on a screen of `columns`. */
export function overlayWidth(columns: number): number {
  return Math.min(WIDTH_MAX, columns - 2 * MARGIN) - 4;
}

function optionsFor(scene: Scene): BoxOptions {
  const { columns, rows } = scene.model.size;
  const width = overlayWidth(columns);
  return { scene, width, room: Math.max(1, rows - 3) };
}

/** Returns the rows from `from` on; the last line says how many follow. */
function scrolled(
  rows: readonly BoxRow[],
  from: number,
  { room, scene }: BoxOptions,
): readonly BoxRow[] {
  const height = Math.max(1, room);
  if (rows.length <= height) return rows;
  const first = Math.min(from, rows.length - height + 1);
  const shown = rows.slice(first, first + height - 1);
  const after = rows.length - first - shown.length;
  const text = after === 0 ? "the end" : `${after} more lines: j`;
  return [
    ...shown,
    plain([span(`${scene.glyphs.more} ${text}`, "dim")]),
  ];
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
          ? "l i k add  n t + - d change"
          : "add: l log in, i import, k API key   n name  t on/off  + - d delete",
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
