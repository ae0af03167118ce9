/**
 * The state of the Deck: what it shows, where the cursor is, what is open.
 * `update.ts` says how it changes.
 *
 * @module
 */

import type { LocalSession } from "../claude/sessions/sessions.ts";
import type { CurvesView } from "../control/protocol.ts";
import type { StatusView } from "../control/protocol.ts";
import type { Size } from "./terminal/frame.ts";
import type { Key } from "./terminal/keys.ts";
import { NO_PLACES, type Places } from "./places.ts";
import type { Style } from "./terminal/line.ts";
import type { Glyphs } from "./terminal/theme.ts";

/** The lists that the cursor can be in, top to bottom. */
export const PANES = [
  "tree",
  "accounts",
  "issues",
  "live",
  "activity",
] as const;

export type Pane = typeof PANES[number];

/** How a list is sorted; `set` is the order that the person gave. */
export type SortName = "set" | "tokens" | "name" | "used";

/** Returns how text is drawn on this terminal. */
export interface Look {
  readonly glyphs: Glyphs;
  /** Null is the machine's own time zone. */
  readonly timeZone: string | null;
}

type Link =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  /** The screen keeps the last figures and recovers by itself. */
  | { readonly kind: "lost"; readonly since: number; readonly reason: string };

/** One item of a menu. */
export interface Choice {
  readonly id: string;
  readonly label: string;
  /** Shown beside it, dim. */
  readonly note: string;
}

/** A panel over the screen, which receives the keys. */
export type Overlay =
  | { readonly kind: "help"; readonly from: number }
  /** Says what will happen and waits for y or n. */
  | {
    readonly kind: "confirm";
    readonly title: string;
    readonly lines: readonly string[];
    readonly yes: string;
    readonly no: string;
    readonly effect: Effect;
  }
  | {
    readonly kind: "choose";
    readonly what: "pin" | "policy" | "remove" | "accounts";
    readonly title: string;
    readonly choices: readonly Choice[];
    readonly at: number;
  }
  /** A line of text to type. */
  | {
    readonly kind: "write";
    readonly title: string;
    readonly lines: readonly string[];
    readonly text: string;
    readonly account: string;
  }
  /** Lines to read. */
  | {
    readonly kind: "read";
    readonly title: string;
    readonly lines: readonly string[];
    readonly from: number;
  };

/** What takes the last change back, and what it does in words. */
export interface Undo {
  readonly effect: Effect;
  readonly text: string;
}

/** A message on the bottom line that disappears by itself. */
export interface Note {
  readonly text: string;
  readonly style: Style;
  readonly until: number;
}

export interface Model {
  readonly size: Size;
  readonly now: number;
  readonly look: Look;
  /** Whether ending the Deck ends the server. */
  readonly isServer: boolean;
  readonly link: Link;
  readonly status: StatusView | null;
  readonly local: readonly LocalSession[];
  /** The last hours; null until they came, and on a narrow screen. */
  readonly curves: CurvesView | null;
  readonly pane: Pane;
  /** Key of the row under the cursor; null before the first move. */
  readonly selected: string | null;
  readonly filter: string;
  readonly isFiltering: boolean;
  /** Whether the agents' box lists issues instead. */
  readonly areIssuesOpen: boolean;
  readonly sort: { readonly accounts: SortName; readonly agents: SortName };
  /** Which row stands where in each list. */
  readonly places: Readonly<Record<Pane, Places>>;
  /** Labels of accounts whose agents are all listed as rows. */
  readonly openAccounts: ReadonlySet<string>;
  readonly overlay: Overlay | null;
  readonly isBellOn: boolean;
  readonly undo: Undo | null;
  /** The state for which the bell rang last. */
  readonly alarm: string;
  readonly note: Note | null;
}

export type Message =
  | { readonly kind: "key"; readonly key: Key }
  | { readonly kind: "resized"; readonly size: Size }
  | { readonly kind: "ticked"; readonly now: number }
  | { readonly kind: "status"; readonly status: StatusView }
  | { readonly kind: "local"; readonly local: readonly LocalSession[] }
  | { readonly kind: "curves"; readonly curves: CurvesView }
  | { readonly kind: "lost"; readonly reason: string }
  /** An effect has ended. */
  | {
    readonly kind: "done";
    readonly text: string;
    /** What takes it back; null if nothing does. */
    readonly undo: Undo | null;
  }
  | {
    readonly kind: "failed";
    readonly text: string;
    readonly hint: string | null;
  }
  | {
    readonly kind: "explained";
    readonly title: string;
    readonly lines: readonly string[];
  };

/** What the Deck wants done outside of it. */
export type Effect =
  | { readonly kind: "pin"; readonly account: string | null }
  | { readonly kind: "policy"; readonly policy: string }
  | { readonly kind: "reload" }
  | {
    readonly kind: "rename";
    readonly account: string;
    readonly label: string;
  }
  | {
    readonly kind: "enable";
    readonly account: string;
    readonly isOn: boolean;
  }
  | {
    readonly kind: "priority";
    readonly account: string;
    readonly priority: number;
  }
  | { readonly kind: "remove"; readonly account: string }
  /** Puts `text` on the clipboard of the terminal. */
  | { readonly kind: "copy"; readonly text: string }
  | { readonly kind: "explain"; readonly row: string }
  /** `tc <args>` gets the terminal until it ends. */
  | { readonly kind: "hand_over"; readonly args: readonly string[] }
  | { readonly kind: "bell" }
  | { readonly kind: "redraw" }
  | { readonly kind: "suspend" }
  | { readonly kind: "end"; readonly how: "quit" | "detached" };

interface ModelOptions {
  readonly size: Size;
  readonly now: number;
  readonly look: Look;
  readonly isServer: boolean;
}

/** Returns the Deck's state before anything is known. */
export function startModel(options: ModelOptions): Model {
  return {
    ...options,
    link: { kind: "connecting" },
    status: null,
    local: [],
    curves: null,
    pane: "tree",
    selected: null,
    filter: "",
    isFiltering: false,
    areIssuesOpen: false,
    sort: { accounts: "set", agents: "tokens" },
    places: {
      tree: NO_PLACES,
      accounts: NO_PLACES,
      issues: NO_PLACES,
      live: NO_PLACES,
      activity: NO_PLACES,
    },
    openAccounts: new Set(),
    overlay: null,
    isBellOn: true,
    undo: null,
    alarm: "",
    note: null,
  };
}
