/**
 * The requests that have ended, newest first: why they moved, cache hits,
 * misses and rebuilt tokens.
 *
 * @module
 */

import type { ActivityView } from "../../control/protocol.ts";
import { countText } from "../../control/words.ts";
import type { Look } from "../model.ts";
import { modelText, reasonText, timeText, tookText } from "../figures.ts";
import { cutInMiddle } from "../terminal/grapheme.ts";
import { inLanes, type Lane, lanesFor, laneWidth } from "../terminal/lanes.ts";
import {
  fit,
  type Line,
  lineWidth,
  span,
  type Style,
} from "../terminal/line.ts";
import { filtered, type Row, type Scene, type Section } from "../scene.ts";
import { nameWidth } from "./agent_row.ts";
import { ID_WIDTH, whoText } from "./live.ts";

/** Least width of the reason, which is the most important word of a row. */
const WHY_MIN = 24;
const WHY_MIN_NARROW = 18;
const WHY_MIN_WIDE = 38;

/** From this many columns on the rebuilt tokens have room as well. */
const WIDE_FROM = 126;

/** A row as it was drawn, with all that its look depends on. */
interface Drawn {
  readonly form: string;
  readonly look: Look;
  readonly row: Row;
}

/**
 * What has ended does not change: its row is drawn once, which saves a viewer
 * most of its garbage, since the log has many more rows than the screen.
 */
const drawn = new WeakMap<ActivityView, Drawn>();

export function activitySection(scene: Scene): Section {
  const { model, glyphs } = scene;
  const entries = model.status?.activity ?? [];
  const lanes = activityLanes(scene);
  const widths = lanes.map(({ key, width }) => `${key} ${width}`).join();
  const rows = entries.map((entry): Row => {
    const who = whoText(entry.session, scene);
    const form = `${who} ${scene.labelWidth} ${widths}`;
    const known = drawn.get(entry);
    if (known?.form === form && known.look === model.look) return known.row;
    const row = rowOf(entry, { who, scene, lanes });
    drawn.set(entry, { form, look: model.look, row });
    return row;
  });
  const placed = new Set(model.places.activity.keys);
  const isHeld = model.pane === "activity" && model.selected !== null;
  const fresh = isHeld && placed.size > 0
    ? rows.filter(({ key }) => key !== null && !placed.has(key)).length
    : 0;
  return {
    box: "activity",
    pane: "activity",
    title: fresh === 0
      ? "activity"
      : `activity ${glyphs.dot} stands still, ${fresh} newer: Esc`,
    aside: [],
    rows: rows.length > 0 ? filtered(rows, model) : [{
      key: null,
      lines: [[span("   nothing yet", "dim")]],
      search: "",
    }],
    rest: null,
  };
}

function rowOf(entry: ActivityView, options: CellOptions): Row {
  const { who, lanes } = options;
  return {
    key: `ended:${entry.id}`,
    lines: [inLanes(cellsOf(entry, options), lanes)],
    search: [
      who,
      entry.account ?? "",
      entry.model ?? "",
      String(entry.status),
      entry.reason,
      entry.movedFrom ?? "",
      entry.movedWhy ?? "",
      entry.id,
    ].join(" "),
  };
}

function activityLanes(scene: Scene): readonly Lane[] {
  const isWide = scene.columns >= 80;
  return lanesFor([
    { key: "mark", width: 1, worth: Infinity },
    { key: "time", width: 8, worth: 70, gap: 0 },
    { key: "who", width: nameWidth(scene), worth: isWide ? 90 : 40 },
    { key: "account", width: scene.labelWidth, worth: 100 },
    { key: "status", width: 3, worth: 95 },
    {
      key: "why",
      width: scene.columns >= WIDE_FROM
        ? WHY_MIN_WIDE
        : isWide
        ? WHY_MIN
        : WHY_MIN_NARROW,
      worth: Infinity,
      grows: true,
    },
    { key: "took", width: 5, worth: 60, isRight: true },
    { key: "hit", width: 8, worth: 65 },
    { key: "read", width: 7, worth: 30 },
    { key: "miss", width: 9, worth: 25 },
    { key: "write", width: 7, worth: 35 },
    { key: "got", width: 7, worth: 50 },
    { key: "model", width: 12, worth: 15 },
    { key: "id", width: ID_WIDTH, worth: 32 },
  ], scene.columns);
}

interface CellOptions {
  readonly who: string;
  readonly scene: Scene;
  readonly lanes: readonly Lane[];
}

function cellsOf(
  entry: ActivityView,
  { who, scene, lanes }: CellOptions,
): Readonly<Record<string, Line>> {
  const { glyphs, model, labelWidth } = scene;
  const { timeZone } = model.look;
  const isKnown = entry.input !== null;
  const miss = (entry.input ?? 0) + (entry.cacheWrite ?? 0);
  const figure = (sign: string, count: number | null): Line =>
    isKnown && count !== null && count > 0
      ? [span(`${sign} `, "dim"), span(countText(count))]
      : [];
  return {
    time: [span(timeText(entry.at.ms, timeZone), "dim")],
    who: [span(cutInMiddle(who, laneWidth(lanes, "who")))],
    account: [span(cutInMiddle(entry.account ?? glyphs.none, labelWidth))],
    status: [span(String(entry.status), statusStyle(entry.status))],
    why: whyLine(entry, scene, laneWidth(lanes, "why")),
    took: [span(tookText(entry.durationMs))],
    hit: hitLine(entry),
    read: figure(glyphs.read, entry.cacheRead),
    miss: figure("miss", miss),
    write: figure(glyphs.write, entry.cacheWrite),
    got: figure(glyphs.got, entry.output),
    model: [span(cutInMiddle(modelText(entry.model), 12), "dim")],
    id: [span(entry.id.slice(0, ID_WIDTH), "dim")],
  };
}

function statusStyle(status: number): Style {
  if (status >= 500) return "bad";
  return status >= 400 ? "careful" : "plain";
}

/** Returns the share of the prompt read from the cache; low ones stand out. */
function hitLine(entry: ActivityView): Line {
  const { input, cacheRead, cacheWrite } = entry;
  if (input === null) return [];
  const prompt = input + (cacheRead ?? 0) + (cacheWrite ?? 0);
  if (prompt === 0) return [];
  const share = Math.round((cacheRead ?? 0) / prompt * 100);
  const isRebuild = (cacheWrite ?? 0) > (cacheRead ?? 0);
  return [
    span("hit ", "dim"),
    span(`${share}%`.padStart(4), isRebuild ? "careful" : "plain"),
  ];
}

/**
 * Returns why the request went where it did: the reason first, and each part
 * whole or not at all.
 */
function whyLine(entry: ActivityView, scene: Scene, width: number): Line {
  const parts = whyParts(entry, scene);
  for (let count = parts.length; count > 0; count--) {
    const line = parts.slice(0, count).flat();
    if (lineWidth(line) <= width) return line;
  }
  return fit(parts[0] ?? [], width);
}

/** Refusals in words that fit the narrowest screen. */
const SHORT: Readonly<Record<string, string>> = {
  none_usable: "none can serve it",
  all_closed: "all are closed",
  closed: "all are closed",
  full: "all are full",
};

function whyParts(entry: ActivityView, scene: Scene): readonly Line[] {
  const { end, movedFrom, movedWhy, reason, attempts, cacheWrite } = entry;
  if (end === "client_gone") return [[span("the client left", "dim")]];
  if (end === "upstream_failed") {
    return [[span("the upstream broke", "bad")], [span(" it off", "bad")]];
  }
  if (end === "refused" || entry.status >= 400) {
    return [[span(SHORT[reason] ?? reasonText(reason), "bad")]];
  }
  if (movedFrom !== null) {
    const why = movedWhy ?? reasonText(reason);
    return [
      [span(why, "careful")],
      [span(`: left ${movedFrom}`, "info")],
      cacheWrite === null || cacheWrite === 0 ? [] : [
        span(` ${scene.glyphs.dot} ${countText(cacheWrite)} rebuilt`, "dim"),
      ],
    ];
  }
  return attempts > 1 ? [[span(`${attempts} tries`, "careful")]] : [];
}
