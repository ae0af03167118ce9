/**
 * Turns the model into a frame: fixed boxes, and in each as many rows of its
 * list as fit, every row in its place.
 *
 * @module
 */

import { Canvas, type Frame } from "./terminal/frame.ts";
import { fit, type Line, lineWidth, span } from "./terminal/line.ts";
import { type Model, type Pane, PANES } from "./model.ts";
import type { Box } from "./layout.ts";
import { accountsSection } from "./panels/accounts.ts";
import { activitySection } from "./panels/activity.ts";
import { curveLines } from "./panels/curves.ts";
import { footerLine, ruleLine } from "./panels/footer.ts";
import { headerLines, oneLine } from "./panels/header.ts";
import { issuesSection } from "./panels/issues.ts";
import { liveSection } from "./panels/live.ts";
import { agentsSection } from "./panels/tree.ts";
import { drawOverlay } from "./panels/overlay.ts";
import { ASCII, inAscii } from "./terminal/theme.ts";
import {
  carried,
  type Row,
  type Scene,
  sceneOf,
  type Section,
} from "./scene.ts";

/** Below this many columns there is only one line. */
const COLUMNS_MIN = 40;
const ROWS_MIN = 10;

/** Returns the whole screen of `model`; `previous` saves most of the work. */
export function view(model: Model, previous: Frame | null = null): Frame {
  const canvas = new Canvas(model.size);
  const scene = sceneOf(model);
  const { columns, rows } = model.size;
  const change = scene.glyphs === ASCII ? inAscii : undefined;
  if (columns < COLUMNS_MIN || rows < ROWS_MIN) {
    canvas.put(fit(oneLine(scene), columns), { row: 0 });
    return canvas.frame(change, previous);
  }
  headerLines(scene).forEach((line, row) => canvas.put(line, { row }));
  for (const section of sectionsOf(scene)) drawSection(canvas, scene, section);
  drawCurves(canvas, scene);
  canvas.put(fit(footerLine(scene), columns), { row: rows - 1 });
  drawOverlay(canvas, scene);
  return canvas.frame(change, previous);
}

/**
 * Returns the lists of a scene, top to bottom, each with all of its rows in
 * their places.
 */
export function sectionsOf(scene: Scene): readonly Section[] {
  return listsOf(scene).map((section) => inPlace(section, scene.model));
}

const known = new WeakMap<Scene, readonly Section[]>();

/**
 * Returns the lists of a scene, each in the order in which it is sorted. They
 * are made once: a viewer's garbage is mostly rows.
 */
export function listsOf(scene: Scene): readonly Section[] {
  const found = known.get(scene);
  if (found !== undefined) return found;
  const { areIssuesOpen } = scene.model;
  const lists = [
    areIssuesOpen ? issuesSection(scene) : agentsSection(scene),
    accountsSection(scene),
    liveSection(scene),
    activitySection(scene),
  ];
  known.set(scene, lists);
  return lists;
}

/**
 * Returns `scene` with another model, which differs in the places of rows alone.
 * Only the log and the lines of the trees depend on them; other lists are kept.
 */
export function carriedScene(scene: Scene, model: Model): Scene {
  const next = carried(scene, model);
  const lists = listsOf(scene).map((section) => {
    if (section.pane === "activity") return activitySection(next);
    return section.pane === "tree" ? agentsSection(next) : section;
  });
  known.set(next, lists);
  return next;
}

/**
 * Puts the rows where they stood; a row that has ended leaves its place free.
 * Rows without a key stay at the end.
 */
function inPlace(section: Section, model: Model): Section {
  const { keys } = model.places[section.pane];
  if (model.filter.trim() !== "" || keys.length === 0) return section;
  const byKey = new Map(section.rows.map((row) => [row.key, row]));
  const placed = new Set<string | null>(keys);
  const isLog = section.pane === "activity";
  const rest = isLog
    ? section.rows.filter(({ key }) => key === null)
    : section.rows.filter(({ key }) => !placed.has(key));
  const rows = keys.map((key): Row =>
    byKey.get(key) ?? freePlace(key, section)
  );
  return { ...section, rows: [...rows, ...rest] };
}

/** Returns a place as high as the row that stood there. */
function freePlace(key: string, { rows }: Section): Row {
  const kind = key.slice(0, key.indexOf(":"));
  const alike = rows.find((row) => row.key?.startsWith(`${kind}:`));
  const lines = alike?.lines.map((): Line => []) ?? [[]];
  return { key: null, place: key, lines, search: "" };
}

/** Returns the keys of the rows that the cursor can stop at, list by list. */
export function selectable(
  model: Model,
): readonly { readonly pane: Pane; readonly keys: readonly string[] }[] {
  const scene = sceneOf(model);
  const sections = sectionsOf(scene)
    .filter(({ box }) => scene.layout.boxes.has(box));
  return PANES.map((pane) => ({
    pane,
    keys: sections.filter((section) => section.pane === pane)
      .flatMap(({ rows }) => rows.flatMap(({ key }) => key ?? [])),
  })).filter(({ keys }) => keys.length > 0);
}

/** What stands at a cell of the screen. */
interface Spot {
  readonly pane: Pane;
  /** Null on a title, a blank or a line that the cursor skips. */
  readonly key: string | null;
}

/** Returns what stands at `row` and `column`; null outside of every list. */
export function spotAt(
  model: Model,
  { row, column }: { readonly row: number; readonly column: number },
): Spot | null {
  const scene = sceneOf(model);
  for (const section of sectionsOf(scene)) {
    const box = scene.layout.boxes.get(section.box);
    if (box === undefined || row < box.top || row >= box.top + box.height) {
      continue;
    }
    if (column < box.left || column >= box.left + box.width) return null;
    const shown = shownLines(section, box, selectedIn(section, model));
    const key = shown.lines[row - box.top - 1]?.key ?? null;
    return { pane: section.pane, key };
  }
  return null;
}

function selectedIn({ pane }: Section, model: Model): string | null {
  return pane === model.pane ? model.selected : null;
}

interface ShownLine {
  readonly key: string | null;
  readonly place: string | null;
  readonly line: Line;
}

/** Returns the lines of a box below its title, and how many rows do not fit. */
function shownLines(
  { rows, rest }: Section,
  { height }: Box,
  selected: string | null,
): { readonly lines: readonly ShownLine[]; readonly hidden: number } {
  const room = height - 1 - (rest === null ? 0 : 1);
  const lines = rows.flatMap(({ key, place = key, lines }) =>
    lines.map((line): ShownLine => ({ key, place, line }))
  );
  const at = selected === null
    ? -1
    : lines.findIndex(({ place }) => place === selected);
  // A page at a time, so that the rows around the cursor stand still.
  const from = at < room || room < 1 ? 0 : Math.min(
    Math.floor(at / room) * room,
    lines.length - room,
  );
  const shown = lines.slice(from, from + room);
  const seen = new Set(shown.flatMap(({ key }) => key ?? []));
  const hidden = rows.filter(({ key }) => key !== null && !seen.has(key));
  while (rest !== null && shown.length < room) {
    shown.push({ key: null, place: null, line: [] });
  }
  if (rest !== null) shown.push({ key: null, place: null, line: rest });
  return { lines: shown, hidden: hidden.length };
}

function drawSection(canvas: Canvas, scene: Scene, section: Section): void {
  const box = scene.layout.boxes.get(section.box);
  if (box === undefined) return;
  const selected = selectedIn(section, scene.model);
  const { lines, hidden } = shownLines(section, box, selected);
  canvas.put(ruleLine(scene, section, hidden), { row: box.top });
  // Figures of a server that cannot be reached are not figures of now.
  const fades = scene.model.link.kind === "lost";
  lines.forEach(({ key, line }, index) => {
    const row = box.top + 1 + index;
    const isSelected = key !== null && key === selected;
    const shown = fades ? line.map(({ text }) => span(text, "dim")) : line;
    const short = fit(shown, box.width);
    const rest = span(" ".repeat(box.width - lineWidth(short)));
    canvas.put(isSelected ? [...short, rest] : short, { row, isSelected });
  });
}

function drawCurves(canvas: Canvas, scene: Scene): void {
  const box = scene.layout.boxes.get("curves");
  if (box === undefined) return;
  const side = [span(scene.glyphs.side, "dim")];
  for (let row = box.top; row < box.top + box.height; row++) {
    canvas.put(side, { row, column: box.left - 1 });
  }
  curveLines(scene, box).slice(0, box.height).forEach((line, index) =>
    canvas.put(fit(line, box.width), {
      row: box.top + index,
      column: box.left,
    })
  );
}
