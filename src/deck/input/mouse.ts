/**
 * The mouse: a click selects a row, the wheel moves.
 *
 * @module
 */

import { moved } from "./cursor.ts";
import type { Model } from "../model.ts";
import { scrollEnd } from "../panels/overlay.ts";
import { sceneOf } from "../scene.ts";
import type { Mouse } from "../terminal/keys.ts";
import { selectable, spotAt } from "../view.ts";

/** Rows that one step of the wheel moves. */
const WHEEL_ROWS = 3;

/** Returns the model after a press of the mouse; it never changes the pool. */
export function mouseKey(model: Model, mouse: Mouse): Model {
  if (model.overlay !== null) return scrolled(model, mouse);
  const spot = spotAt(model, mouse);
  if (spot === null) return model;
  const isHere = spot.pane === model.pane && model.selected !== null;
  if (mouse.button !== "left") {
    const steps = mouse.button === "wheel_up" ? -WHEEL_ROWS : WHEEL_ROWS;
    return isHere ? within(model, steps) : entered(model, spot.pane);
  }
  if (spot.key === null) return entered(model, spot.pane);
  if (spot.key !== model.selected) {
    return { ...model, pane: spot.pane, selected: spot.key };
  }
  return model;
}

/** Puts the cursor on the first row of a list. */
function entered(model: Model, pane: Model["pane"]): Model {
  const list = selectable(model).find((one) => one.pane === pane);
  const [key] = list?.keys ?? [];
  return key === undefined ? model : { ...model, pane, selected: key };
}

/** Moves the cursor without leaving its list. */
function within(model: Model, steps: number): Model {
  const next = moved(model, steps);
  if (next.pane === model.pane) return next;
  const list = selectable(model).find(({ pane }) => pane === model.pane);
  const key = steps < 0 ? list?.keys[0] : list?.keys.at(-1);
  return key === undefined ? model : { ...model, selected: key };
}

function scrolled(model: Model, { button }: Mouse): Model {
  const { overlay } = model;
  if (overlay === null || button === "left") return model;
  const by = button === "wheel_up" ? -WHEEL_ROWS : WHEEL_ROWS;
  switch (overlay.kind) {
    case "help":
    case "read": {
      const end = scrollEnd(sceneOf(model));
      const from = Math.max(0, Math.min(end, overlay.from + by));
      return { ...model, overlay: { ...overlay, from } };
    }
    case "choose": {
      const last = overlay.choices.length - 1;
      const at = Math.max(0, Math.min(last, overlay.at + Math.sign(by)));
      return { ...model, overlay: { ...overlay, at } };
    }
    case "confirm":
    case "write":
      return model;
  }
}
