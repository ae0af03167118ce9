/**
 * Turns the model into a frame: which sections fit, and how many rows of each.
 *
 * @module
 */

import { Canvas, type Frame } from "./terminal/frame.ts";
import { fit, lineWidth } from "./terminal/line.ts";
import { type Model, type Pane, PANES } from "./model.ts";
import { accountsSection } from "./panels/accounts.ts";
import { activitySection } from "./panels/activity.ts";
import { footerLine, ruleLine } from "./panels/footer.ts";
import { headerLines, oneLine } from "./panels/header.ts";
import { issuesSection } from "./panels/issues.ts";
import { liveSection } from "./panels/live.ts";
import { needSection, treeSection } from "./panels/tree.ts";
import { drawOverlay } from "./panels/overlay.ts";
import { ASCII, inAscii } from "./terminal/theme.ts";
import { type Row, type Scene, sceneOf, type Section } from "./scene.ts";

/** Below this many columns there is only one line. */
const COLUMNS_MIN = 40;
const ROWS_MIN = 10;

/**
 * Every n-th row goes to activity before the other lists get their last rows.
 */
const ACTIVITY_SHARE = 4;

/** Returns the whole screen of `model`. */
export function view(model: Model): Frame {
  const canvas = new Canvas(model.size);
  const scene = sceneOf(model);
  const { columns, rows } = model.size;
  const change = scene.glyphs === ASCII ? inAscii : undefined;
  if (columns < COLUMNS_MIN || rows < ROWS_MIN) {
    canvas.put(fit(oneLine(scene), columns), { row: 0 });
    return canvas.frame(change);
  }
  const header = headerLines(scene);
  header.forEach((line, row) => canvas.put(line, { row }));
  drawSections(canvas, scene, header.length);
  canvas.put(fit(footerLine(scene), columns), { row: rows - 1 });
  drawOverlay(canvas, scene);
  return canvas.frame(change);
}

/**
 * Returns the sections of a scene, top to bottom, each with all of its rows.
 */
export function sectionsOf(scene: Scene): readonly Section[] {
  const isBroad = scene.breadth === "full" || scene.breadth === "medium";
  return [
    isBroad ? treeSection(scene) : null,
    accountsSection(scene),
    isBroad ? issuesSection(scene) : needSection(scene),
    liveSection(scene),
    activitySection(scene),
  ].filter((section) => section !== null);
}

/** Returns the keys of the rows that the cursor can stop at, list by list. */
export function selectable(
  model: Model,
): readonly { readonly pane: Pane; readonly keys: readonly string[] }[] {
  const sections = sectionsOf(sceneOf(model));
  return PANES.map((pane) => ({
    pane,
    keys: sections.filter((section) => section.pane === pane)
      .flatMap(({ rows }) => rows.flatMap(({ key }) => key ?? [])),
  })).filter(({ keys }) => keys.length > 0);
}

function drawSections(canvas: Canvas, scene: Scene, top: number): void {
  const sections = sectionsOf(scene);
  const room = canvas.size.rows - top - 1;
  const shares = shareOut(sections, room, scene.model.pane);
  let row = top;
  sections.forEach((section, index) => {
    const share = shares[index] ?? 0;
    if (share === 0) return;
    const isHere = section.pane === scene.model.pane;
    const selected = isHere ? scene.model.selected : null;
    const shown = chosenRows(section, share - 1, selected);
    const hidden = section.rows.filter(({ key }) => key !== null).length -
      shown.filter(({ key }) => key !== null).length;
    canvas.put(ruleLine(scene, section, hidden), { row });
    row++;
    for (const { line, key } of shown) {
      const isSelected = key !== null && key === selected;
      drawRow(canvas, scene, { line, row, isSelected });
      row++;
    }
  });
}

function drawRow(
  canvas: Canvas,
  { columns }: Scene,
  { line, row, isSelected }: {
    readonly line: Row["line"];
    readonly row: number;
    readonly isSelected: boolean;
  },
): void {
  const short = fit(line, columns);
  const rest = " ".repeat(columns - lineWidth(short));
  canvas.put(
    isSelected ? [...short, { text: rest, style: "plain" }] : short,
    { row, isSelected },
  );
}

/**
 * Returns the rows for each section, its title line included; 0 leaves the
 * section out. Every section gets a few rows first, then the most important
 * ones more, then the rest.
 */
function shareOut(
  sections: readonly Section[],
  room: number,
  focus: Pane,
): readonly number[] {
  const shares = sections.map(() => 0);
  let left = room;
  const order = sections
    .map((section, index) => ({ section, index }))
    .sort((a, b) => worth(b.section, focus) - worth(a.section, focus));
  for (const rank of [0, 1, 2] as const) {
    for (const { section, index } of order) {
      const wanted = wantedRows(section, rank);
      if (wanted === 0) continue;
      const has = shares[index] ?? 0;
      const more = Math.min(left, wanted + 1 - has);
      // A title line with nothing under it is of no use.
      if (more <= 0 || has + more < 2) continue;
      shares[index] = has + more;
      left -= more;
    }
  }
  const last = sections.findIndex(({ pane }) => pane === "activity");
  const activity = sections[last];
  if (activity !== undefined && (shares[last] ?? 0) > 0) {
    shares[last] = Math.min(
      (shares[last] ?? 0) + left,
      activity.rows.length + 1,
    );
  }
  return shares;
}

/**
 * Returns a section's turn for rows; the section with the cursor comes first.
 */
function worth({ pane }: Section, focus: Pane): number {
  switch (pane) {
    case null:
      return 5;
    case "accounts":
      return 4;
    case "live":
      return 3;
    case "tree":
      return focus === "tree" ? 2.5 : 2;
    case "activity":
      return focus === "activity" ? 3.5 : 1;
    case "issues":
      return focus === "issues" ? 3.5 : 0;
  }
}

/**
 * Returns the rows wanted in the round of `rank`; activity grows in small
 * steps.
 */
function wantedRows({ pane, rows }: Section, rank: 0 | 1 | 2): number {
  if (pane === "activity") {
    return Math.min(rows.length, ACTIVITY_SHARE * (rank === 0 ? 0.5 : rank));
  }
  return rows.filter((row) => row.rank <= rank).length;
}

/**
 * Returns the rows for `height`: the least important are dropped first, then
 * the list scrolls.
 */
function chosenRows(
  { rows }: Section,
  height: number,
  selected: string | null,
): readonly Row[] {
  if (rows.length <= height) return rows;
  for (const rank of [1, 0] as const) {
    const kept = rows.filter((row) =>
      row.rank <= rank || row.key === selected && selected !== null
    );
    if (kept.length <= height) {
      return withMore(rows, kept, { height, rank, selected });
    }
  }
  const at = Math.max(0, rows.findIndex(({ key }) => key === selected));
  const from = Math.max(
    0,
    Math.min(at - Math.floor(height / 2), rows.length - height),
  );
  return rows.slice(from, from + height);
}

/** Adds as many rows of the next rank as still fit. */
function withMore(
  rows: readonly Row[],
  kept: readonly Row[],
  { height, rank, selected }: {
    readonly height: number;
    readonly rank: number;
    readonly selected: string | null;
  },
): readonly Row[] {
  let spare = height - kept.length;
  return rows.filter((row) => {
    if (row.rank <= rank || (row.key === selected && selected !== null)) {
      return true;
    }
    if (row.rank > rank + 1 || spare <= 0) return false;
    spare--;
    return true;
  });
}
