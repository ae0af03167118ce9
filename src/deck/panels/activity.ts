/**
 * The requests that have ended: cache hits, misses and rebuilt tokens.
 *
 * @module
 */

import type { ActivityView } from "../../control/protocol.ts";
import { countText } from "../../control/words.ts";
import { modelText, reasonText, timeText, tookText } from "../figures.ts";
import { figure, lane, type Line, span, type Style } from "../terminal/line.ts";
import { filtered, type Row, type Scene, type Section } from "../scene.ts";
import { whoText } from "./live.ts";

export function activitySection(scene: Scene): Section {
  const { model } = scene;
  const rows = (model.status?.activity ?? []).map((entry): Row => {
    const who = whoText(entry.session, scene);
    return {
      key: `ended:${entry.id}`,
      line: activityLine(entry, who, scene),
      search: [
        who,
        entry.account ?? "",
        entry.model ?? "",
        String(entry.status),
        entry.reason,
      ].join(" "),
      rank: 1,
    };
  });
  return {
    pane: "activity",
    title: "activity",
    aside: [],
    rows: rows.length > 0 ? filtered(rows, model) : [{
      key: null,
      line: [span("   nothing yet", "dim")],
      search: "",
      rank: 1,
    }],
  };
}

function activityLine(entry: ActivityView, who: string, scene: Scene): Line {
  switch (scene.breadth) {
    case "full":
      return fullLine(entry, who, scene);
    case "medium":
      return mediumLine(entry, who, scene);
    case "narrow":
    case "small":
      return shortLine(entry, scene);
  }
}

function statusStyle(status: number): Style {
  if (status >= 500) return "bad";
  return status >= 400 ? "careful" : "plain";
}

/**
 * Returns the share of the prompt read from the cache; null if nothing was
 * read.
 */
function hitShare(entry: ActivityView): number | null {
  const { input, cacheRead, cacheWrite } = entry;
  if (input === null) return null;
  const prompt = input + (cacheRead ?? 0) + (cacheWrite ?? 0);
  return prompt === 0 ? null : (cacheRead ?? 0) / prompt;
}

function hitText(entry: ActivityView): string {
  const share = hitShare(entry);
  return share === null ? "" : `${Math.round(share * 100)}%`;
}

function fullLine(entry: ActivityView, who: string, scene: Scene): Line {
  const { glyphs, model, labelWidth } = scene;
  const isKnown = entry.input !== null;
  const count = (value: number | null): string => countText(value ?? 0);
  const miss = (entry.input ?? 0) + (entry.cacheWrite ?? 0);
  return [
    span(`   ${timeText(entry.at.ms, model.look.timeZone)}  `),
    lane(who, 17),
    lane(entry.account ?? glyphs.none, Math.max(6, labelWidth) + 2),
    span(String(entry.status), statusStyle(entry.status)),
    figure(tookText(entry.durationMs), 7),
    ...(isKnown
      ? [
        span("   hit ", "dim"),
        lane(count(entry.cacheRead), 6),
        span("miss ", "dim"),
        lane(countText(miss), 6),
        span(`${glyphs.write} `, "dim"),
        lane(count(entry.cacheWrite), 6),
        span(`${glyphs.got} `, "dim"),
        lane(count(entry.output), 5),
        figure(hitText(entry), 5),
        span("  "),
      ]
      : [span("   ")]),
    ...tailLine(entry, scene),
  ];
}

function mediumLine(entry: ActivityView, who: string, scene: Scene): Line {
  const { glyphs, model, labelWidth } = scene;
  return [
    span(`   ${timeText(entry.at.ms, model.look.timeZone)} `),
    lane(who, 12),
    lane(entry.account ?? glyphs.none, Math.max(4, labelWidth) + 1),
    span(String(entry.status), statusStyle(entry.status)),
    figure(tookText(entry.durationMs), 6),
    ...cacheWords(entry, glyphs.write),
    ...(entry.output === null || isRebuild(entry)
      ? []
      : [span(`  ${glyphs.got} ${countText(entry.output)}`)]),
    span("  "),
    ...tailLine(entry, scene),
  ];
}

function shortLine(entry: ActivityView, scene: Scene): Line {
  const { glyphs, model } = scene;
  return [
    span(` ${timeText(entry.at.ms, model.look.timeZone)} `),
    span(`${entry.account ?? glyphs.none} `),
    span(String(entry.status), statusStyle(entry.status)),
    span(` ${tookText(entry.durationMs)}`),
    ...(isRebuild(entry)
      ? [span(` ${glyphs.write} ${countText(entry.cacheWrite ?? 0)}`)]
      : hitText(entry) === ""
      ? []
      : [span(` hit ${hitText(entry)}`)]),
  ];
}

function isRebuild({ cacheRead, cacheWrite }: ActivityView): boolean {
  return (cacheWrite ?? 0) > (cacheRead ?? 0);
}

function cacheWords(entry: ActivityView, write: string): Line {
  if (hitText(entry) === "") return [];
  const written = isRebuild(entry)
    ? `  ${write} ${countText(entry.cacheWrite ?? 0)}`
    : "";
  return [span(`  hit ${hitText(entry).padStart(4)}${written}`)];
}

/**
 * Returns why the request went where it did, if that is notable, and how it
 * failed.
 */
function tailLine(entry: ActivityView, scene: Scene): Line {
  const { end, movedFrom, reason, attempts } = entry;
  const model = scene.breadth === "full" ? modelText(entry.model) : "";
  if (end === "client_gone") return [span("the client left", "dim")];
  if (end === "upstream_failed") {
    return [span("broken off by the upstream", "bad")];
  }
  if (end === "refused" || entry.status >= 400) {
    return [span(reasonText(reason), "careful")];
  }
  if (movedFrom !== null) {
    const cost = entry.cacheWrite === null || entry.cacheWrite === 0
      ? ""
      : ` ${scene.glyphs.dot} cost ${countText(entry.cacheWrite)}`;
    return [
      span(`moved from ${movedFrom}: ${reasonText(reason)}${cost}`, "info"),
    ];
  }
  const tries = attempts > 1 ? `${attempts} tries  ` : "";
  return [span(`${tries}${model}`, "dim")];
}
