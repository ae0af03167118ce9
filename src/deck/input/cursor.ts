/**
 * The cursor: which row it is on, and how it moves. It remembers its row by
 * name, so rows may appear, disappear and move under it.
 *
 * @module
 */

import type { Model, Pane } from "../model.ts";
import { selectable } from "../view.ts";

interface Place {
  readonly pane: Pane;
  readonly key: string;
}

function places(model: Model): readonly Place[] {
  return selectable(model).flatMap(({ pane, keys }) =>
    keys.map((key) => ({ pane, key }))
  );
}

/**
 * Returns where the cursor is; -1 if its row is gone or it has not moved yet.
 */
function indexOf(model: Model, all: readonly Place[]): number {
  const exact = all.findIndex(({ pane, key }) =>
    key === model.selected && pane === model.pane
  );
  return exact >= 0
    ? exact
    : all.findIndex(({ key }) => key === model.selected);
}

function at(model: Model, place: Place | undefined): Model {
  if (place === undefined) return { ...model, selected: null };
  return { ...model, pane: place.pane, selected: place.key };
}

/** Returns the model with the cursor `steps` rows further, across all lists. */
export function moved(model: Model, steps: number): Model {
  const all = places(model);
  const from = indexOf(model, all);
  if (from < 0) {
    const first = all.find(({ pane }) => pane === model.pane) ?? all[0];
    return at(model, first);
  }
  return at(
    model,
    all[Math.max(0, Math.min(all.length - 1, from + steps))],
  );
}

/** Returns the model with the cursor on the first or last row of its list. */
export function movedToEnd(model: Model, end: "first" | "last"): Model {
  const lists = selectable(model);
  const list = lists.find(({ pane }) => pane === model.pane) ?? lists[0];
  if (list === undefined) return model;
  const key = end === "first" ? list.keys[0] : list.keys.at(-1);
  return at(model, key === undefined ? undefined : { pane: list.pane, key });
}

/** Returns the model with the cursor in the next or previous list. */
export function movedPane(model: Model, steps: 1 | -1): Model {
  const lists = selectable(model);
  if (lists.length === 0) return model;
  const here = lists.findIndex(({ pane }) => pane === model.pane);
  const isNew = model.selected === null || here < 0;
  const next = isNew
    ? Math.max(0, here)
    : (here + steps + lists.length) % lists.length;
  const list = lists[next];
  const key = list?.keys[0];
  if (list === undefined || key === undefined) return model;
  return at(model, { pane: list.pane, key });
}

/** Returns what the row under the cursor is about; null if it is gone. */
export function selectedRow(
  model: Model,
): { readonly kind: string; readonly id: string } | null {
  const { selected } = model;
  if (selected === null || indexOf(model, places(model)) < 0) return null;
  const colon = selected.indexOf(":");
  return { kind: selected.slice(0, colon), id: selected.slice(colon + 1) };
}
