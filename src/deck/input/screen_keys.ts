/**
 * What each key does while no panel is open.
 *
 * @module
 */

import { moved, movedPane, movedToEnd, selectedRow } from "./cursor.ts";
import type { KeyName, PressedKey } from "../terminal/keys.ts";
import {
  askPin,
  askQuit,
  askRemove,
  askUndo,
  chooseAccount,
  choosePolicy,
} from "./questions.ts";
import type { Effect, Model, Pane, SortName } from "../model.ts";
import { NO_PLACES } from "../places.ts";

type Update = readonly [model: Model, effects: readonly Effect[]];

const PAGE_ROWS = 10;
const NOTE_MS = 6_000;

export function screenKey(model: Model, key: PressedKey): Update {
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
      return entered(model);
    case "escape":
      return only({ ...model, selected: null, filter: "" });
    case "interrupt":
      return askQuit(model, "interrupt");
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
      return only(issuesKey(model));
    case "o":
      return only(sortKey(model));
    case "u":
      return only(askUndo(model));
    case "y":
      return copyKey(model);
    case "b":
      return only({ ...model, isBellOn: !model.isBellOn });
    case "/":
      return only({ ...model, isFiltering: true });
    case "?":
      return only({ ...model, overlay: { kind: "help", from: 0 } });
    case "q":
      return askQuit(model);
    default:
      return only(model);
  }
}

/** Lists every agent of an account as a row, or explains another row. */
function entered(model: Model): Update {
  const row = selectedRow(model);
  if (row === null) return only(model);
  if (row.kind !== "account") return explainKey(model);
  const openAccounts = new Set(model.openAccounts);
  if (!openAccounts.delete(row.id)) openAccounts.add(row.id);
  return only(unsorted({ ...model, openAccounts }, "accounts"));
}

/** A list that a person changes is sorted at once. */
function unsorted(model: Model, pane: Pane): Model {
  return { ...model, places: { ...model.places, [pane]: NO_PLACES } };
}

/** Shows issues in place of agents, and back. */
function issuesKey(model: Model): Model {
  const areIssuesOpen = !model.areIssuesOpen;
  const isThere = model.pane === "tree" || model.pane === "issues";
  return {
    ...model,
    areIssuesOpen,
    ...(isThere ? { selected: null } : {}),
    pane: isThere ? areIssuesOpen ? "issues" : "tree" : model.pane,
  };
}

const SORTS: readonly SortName[] = ["set", "tokens", "name", "used"];

/** Sorts the list that the cursor is in another way. */
function sortKey(model: Model): Model {
  const isAgents = model.pane === "tree" && model.selected !== null;
  const list = isAgents ? "agents" : "accounts";
  const orders = isAgents ? SORTS.slice(1) : SORTS;
  const at = orders.indexOf(model.sort[list]);
  const next = orders[(at + 1) % orders.length] ?? "set";
  const sort = { ...model.sort, [list]: next };
  const text = next === "set"
    ? `The ${list} stand in the order that you set`
    : `The ${list} are sorted by ${next}`;
  return {
    ...unsorted({ ...model, sort }, isAgents ? "tree" : "accounts"),
    note: { text, style: "info", until: model.now + NOTE_MS },
  };
}

/** Copies the id of the row under the cursor, and shows it. */
function copyKey(model: Model): Update {
  const row = selectedRow(model);
  const text = row === null ? "Select a row (j/k), then press y" : row.id;
  const until = model.now + NOTE_MS;
  const note = row === null
    ? { text, style: "info", until } as const
    : { text: `Copied ${text}`, style: "good", until } as const;
  return [
    { ...model, note },
    row === null ? [] : [{ kind: "copy", text }],
  ];
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
      text: "Select a row (j/k), then press e",
      style: "info",
      until: model.now + NOTE_MS,
    },
  });
}
