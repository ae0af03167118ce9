/**
 * How the Deck changes: a message and a model in, the next model and the
 * effects to run out.
 *
 * @module
 */

import type { Key, PressedKey } from "./terminal/keys.ts";
import { moved } from "./input/cursor.ts";
import { mouseKey } from "./input/mouse.ts";
import {
  type Effect,
  type Message,
  type Model,
  type Note,
  PANES,
} from "./model.ts";
import { overlayKey } from "./input/overlay_keys.ts";
import { screenKey } from "./input/screen_keys.ts";
import { logged, NO_PLACES, settled } from "./places.ts";
import { sceneOf } from "./scene.ts";
import { carriedScene, listsOf } from "./view.ts";

/** The next model, and the effects to run. */
type Update = readonly [model: Model, effects: readonly Effect[]];

const NOTE_MS = 6_000;
const NOTE_BAD_MS = 15_000;

/** Returns the next model, its rows in their places, and the effects to run. */
export function update(model: Model, message: Message): Update {
  const [next, effects] = changed(model, message);
  return [next === model ? model : placed(next), effects];
}

/** Settles where the rows of each list stand; only this moves a row. */
function placed(model: Model): Model {
  const scene = sceneOf(model);
  const { now, selected, filter } = model;
  // While a filter holds, the rows that it lets through stand close together.
  if (filter.trim() !== "") return model;
  const places = { ...model.places };
  for (const { pane, rows } of listsOf(scene)) {
    const wanted = rows.flatMap(({ key }) => key ?? []);
    const isHeld = selected !== null && pane === model.pane;
    places[pane] = pane === "activity"
      ? logged(places[pane], wanted, { now, isHeld })
      : settled(places[pane], wanted, { now, isHeld, selected });
  }
  const isSame = PANES.every((pane) => places[pane] === model.places[pane]);
  return isSame ? model : carriedScene(scene, { ...model, places }).model;
}

function changed(model: Model, message: Message): Update {
  switch (message.kind) {
    case "key":
      return keyed(model, message.key);
    case "resized":
      return [{ ...model, size: message.size }, []];
    case "ticked":
      return [ticked(model, message.now), []];
    case "status":
      return alarmed({
        ...model,
        status: message.status,
        link: { kind: "live" },
      });
    case "local":
      return alarmed(located(model, message.local));
    case "curves":
      return [{ ...model, curves: message.curves }, []];
    case "lost":
      return [lost(model, message.reason), []];
    case "done":
      return [done(model, message.text, message.undo), []];
    case "failed":
      return [noted(model, failure(message.text, message.hint), "bad"), []];
    case "explained": {
      const { title, lines } = message;
      return [
        { ...model, overlay: { kind: "read", title, lines, from: 0 } },
        [],
      ];
    }
  }
}

/** The first files that are read bring the trees: agents are sorted anew. */
function located(model: Model, local: Model["local"]): Model {
  const isFirst = model.local.length === 0 && local.length > 0;
  const places = isFirst ? { ...model.places, tree: NO_PLACES } : model.places;
  return { ...model, local, places };
}

/** Notes a change, and how it is taken back. */
function done(model: Model, text: string, undo: Model["undo"]): Model {
  const hint = undo === null ? "" : "   u undoes it";
  const next = undo === null ? model : { ...model, undo };
  return noted(next, `${text}${hint}`, "good");
}

function keyed(model: Model, key: Key): Update {
  const clear = model.note === null ? model : { ...model, note: null };
  if (key.kind === "named" && key.name === "redraw") {
    return [clear, [{ kind: "redraw" }]];
  }
  if (key.kind === "named" && key.name === "suspend") {
    return clear.isServer
      ? [noted(clear, "Suspending would stop the server too", "careful"), []]
      : [clear, [{ kind: "suspend" }]];
  }
  if (key.kind === "mouse") return [mouseKey(clear, key), []];
  if (clear.overlay !== null) return overlayKey(clear, clear.overlay, key);
  if (clear.isFiltering) return [filterKey(clear, key), []];
  return screenKey(clear, key);
}

/** Letters go into the filter until Enter keeps it or Esc clears it. */
function filterKey(
  model: Model,
  key: PressedKey,
): Model {
  if (key.kind === "char") {
    return { ...model, filter: `${model.filter}${key.text}` };
  }
  switch (key.name) {
    case "enter":
      return { ...model, isFiltering: false };
    case "escape":
    case "interrupt":
      return { ...model, isFiltering: false, filter: "" };
    case "backspace":
      return { ...model, filter: [...model.filter].slice(0, -1).join("") };
    case "clear":
      return { ...model, filter: "" };
    case "up":
    case "down":
      return moved(model, key.name === "up" ? -1 : 1);
    default:
      return model;
  }
}

function ticked(model: Model, now: number): Model {
  const isOver = model.note !== null && now >= model.note.until;
  return { ...model, now, ...(isOver ? { note: null } : {}) };
}

function lost(model: Model, reason: string): Model {
  if (model.link.kind === "lost") return model;
  return { ...model, link: { kind: "lost", since: model.now, reason } };
}

function failure(text: string, hint: string | null): string {
  return hint === null ? text : `${text}. ${hint.split("\n")[0]}`;
}

/** Returns the model with a message on the bottom line for a while. */
function noted(
  model: Model,
  text: string,
  style: Note["style"],
): Model {
  const ms = style === "bad" ? NOTE_BAD_MS : NOTE_MS;
  return { ...model, note: { text, style, until: model.now + ms } };
}

/**
 * Rings if the set of agents that collide or need a person has changed and is
 * not empty, and when an account begins to be paid by the token.
 */
function alarmed(model: Model): Update {
  const { agents } = sceneOf(model);
  const collisions = agents.filter((agent) => agent.collides)
    .map(({ issue }) => issue ?? "");
  const needs = agents.filter(({ need }) => need !== null).length;
  const names = [...new Set(collisions)].sort().join(",");
  const paying = (model.status?.accounts ?? [])
    .filter((account) => account.paying !== null).map(({ id }) => id);
  const alarm = names === "" && needs === 0 && paying.length === 0
    ? ""
    : [`${names}|${needs}`, ...paying].join(" ");
  if (alarm === model.alarm) return [model, []];
  const [before = "", ...known] = model.alarm.split(" ");
  const isCalled = (names !== "" || needs > 0) &&
    before !== `${names}|${needs}`;
  const begins = paying.some((id) => !known.includes(id));
  const rings = (isCalled || begins) && model.isBellOn;
  return [{ ...model, alarm }, rings ? [{ kind: "bell" }] : []];
}
