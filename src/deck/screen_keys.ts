/**
 * What each key does while no panel is open.
 *
 * @module
 */

import { moved, movedPane, movedToEnd, selectedRow } from "./cursor.ts";
import type { Key, KeyName } from "./terminal/keys.ts";
import {
  askPin,
  askQuit,
  askRemove,
  chooseAccount,
  choosePolicy,
} from "./questions.ts";
import type { Effect, Model } from "./model.ts";

type Update = readonly [model: Model, effects: readonly Effect[]];

const PAGE_ROWS = 10;

export function screenKey(model: Model, key: Key): Update {
  return key.kind === "named"
    ? namedKey(model, key.name)
    : charKey(model, key.text);
}

function only(model: Model): Update {
  return [model, []];
}

function namedKey(model: Model, name: KeyName): Update {
  switch (name) {
    case "up":
      return only(moved(model, -1));
    case "down":
      return only(moved(model, 1));
    case "page_up":
      return only(moved(model, -PAGE_ROWS));
    case "page_down":
      return only(moved(model, PAGE_ROWS));
    case "home":
      return only(movedToEnd(model, "first"));
    case "end":
      return only(movedToEnd(model, "last"));
    case "tab":
      return only(movedPane(model, 1));
    case "back_tab":
      return only(movedPane(model, -1));
    case "enter":
      return only(entered(model));
    case "escape":
      return only({ ...model, selected: null, filter: "" });
    case "interrupt":
      return askQuit(model);
    case "left":
    case "right":
    case "backspace":
    case "delete":
    case "clear":
    case "suspend":
    case "redraw":
      return only(model);
  }
}

function charKey(model: Model, text: string): Update {
  switch (text) {
    case "j":
      return only(moved(model, 1));
    case "k":
      return only(moved(model, -1));
    case "g":
      return only(movedToEnd(model, "first"));
    case "G":
      return only(movedToEnd(model, "last"));
    case "s":
      return only(pinKey(model));
    case "a":
      return only(chooseAccount(model, "accounts"));
    case "r":
      return only(removeKey(model));
    case "R":
      return [model, [{ kind: "reload" }]];
    case "p":
      return only(choosePolicy(model));
    case "e":
      return explainKey(model);
    case "i":
      return only({ ...model, areIssuesOpen: !model.areIssuesOpen });
    case "b":
      return only({ ...model, isBellOn: !model.isBellOn });
    case "/":
      return only({ ...model, isFiltering: true });
    case "?":
      return only({ ...model, overlay: { kind: "help" } });
    case "q":
      return askQuit(model);
    default:
      return only(model);
  }
}

/** Lists every agent of an account as a row, or only names them. */
function entered(model: Model): Model {
  const row = selectedRow(model);
  if (row?.kind !== "account") return model;
  const openAccounts = new Set(model.openAccounts);
  if (!openAccounts.delete(row.id)) openAccounts.add(row.id);
  return { ...model, openAccounts };
}

function pinKey(model: Model): Model {
  const row = selectedRow(model);
  return row?.kind === "account"
    ? askPin(model, row.id)
    : chooseAccount(model, "pin");
}

function removeKey(model: Model): Model {
  const row = selectedRow(model);
  return row?.kind === "account"
    ? askRemove(model, row.id)
    : chooseAccount(model, "remove");
}

function explainKey(model: Model): Update {
  const row = selectedRow(model);
  if (row !== null) {
    return [model, [{ kind: "explain", row: `${row.kind}:${row.id}` }]];
  }
  return only({
    ...moved(model, 0),
    note: {
      text: "Move to a row first, then e explains it",
      style: "info",
      until: model.now + 4_000,
    },
  });
}
