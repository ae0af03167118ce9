/**
 * What the panels share: the model, and everything derived from it, computed
 * once per model.
 *
 * @module
 */

import type { AccountView } from "../control/protocol.ts";
import { type Agent, agentsOf } from "./agent.ts";
import { widthOf } from "./terminal/grapheme.ts";
import type { Line } from "./terminal/line.ts";
import { type BoxName, type Layout, layoutOf } from "./layout.ts";
import type { Model, Pane, SortName } from "./model.ts";
import type { Glyphs } from "./terminal/theme.ts";
import { type Forest, forestOf } from "./tree.ts";

/** How much fits side by side: from 119, 80, 60 and 40 columns on. */
type Breadth = "full" | "medium" | "narrow" | "small";

export interface AccountGroup {
  readonly view: AccountView;
  /** The agents that it serves, by tokens. */
  readonly agents: readonly Agent[];
  readonly tokens: number;
}

export interface Scene {
  readonly model: Model;
  readonly glyphs: Glyphs;
  readonly layout: Layout;
  /** Width in cells of the lists. */
  readonly columns: number;
  readonly breadth: Breadth;
  readonly agents: readonly Agent[];
  readonly byId: ReadonlyMap<string, Agent>;
  readonly forest: Forest;
  /** Accounts, in the order that is chosen. */
  readonly groups: readonly AccountGroup[];
  /** Agents without an account yet. */
  readonly unrouted: readonly Agent[];
  /** Width in cells of the longest account label, up to a third of a row. */
  readonly labelWidth: number;
  /** Width in cells of the longest name of an agent with its place in a tree. */
  readonly agentWidth: number;
  /** The same without trees. */
  readonly nameWidth: number;
}

/** One row of a list. */
export interface Row {
  /** Null if the cursor skips the row. */
  readonly key: string | null;
  /** Of a free place, the key of the row that stood there. */
  readonly place?: string;
  /** Usually one line. */
  readonly lines: readonly Line[];
  /** The text that the filter searches. */
  readonly search: string;
}

/** A list below one title line. */
export interface Section {
  readonly box: Exclude<BoxName, "curves">;
  readonly pane: Pane;
  readonly title: string;
  /** At the other end of the title line. */
  readonly aside: Line;
  readonly rows: readonly Row[];
  /** The last line of the box, for what has no row; or null. */
  readonly rest: Line | null;
}

const LABEL_MIN = 6;

const known = new WeakMap<Model, Scene>();

/** Returns everything that is drawn for `model`. */
export function sceneOf(model: Model): Scene {
  const found = known.get(model);
  if (found !== undefined) return found;
  const scene = build(model);
  known.set(model, scene);
  return scene;
}

/** Returns `scene` for a model that differs in the places of rows alone. */
export function carried(scene: Scene, model: Model): Scene {
  const next = { ...scene, model };
  known.set(model, next);
  return next;
}

function build(model: Model): Scene {
  const agents = agentsOf(model.status, model.local, model.now);
  const views = model.status?.accounts ?? [];
  const labels = new Set(views.map(({ label }) => label));
  const byAccount = Map.groupBy(agents, ({ account }) => account ?? "");
  const groups = views.map((view): AccountGroup => {
    const own = byAccount.get(view.label) ?? [];
    const tokens = own.reduce((sum, agent) => sum + (agent.tokens ?? 0), 0);
    return { view, agents: own, tokens };
  }).sort(orderOf(model.sort.accounts));
  const layout = layoutOf(model.size);
  const columns = layout.boxes.get("accounts")?.width ?? model.size.columns;
  const forest = forestOf(agents);
  return {
    model,
    glyphs: model.look.glyphs,
    layout,
    columns,
    breadth: breadthOf(columns),
    agents,
    byId: new Map(agents.map((agent) => [agent.id, agent])),
    forest,
    groups,
    unrouted: agents.filter(({ account }) =>
      account === null || !labels.has(account)
    ),
    labelWidth: Math.min(
      Math.floor(columns / 3),
      Math.max(LABEL_MIN, ...views.map(({ label }) => widthOf(label))),
    ),
    agentWidth: agentWidthOf(agents, forest),
    nameWidth: agentWidthOf(agents, null),
  };
}

/** Cells that a level of a tree, and a sign before a name, take. */
const LEVEL_WIDTH = 3;
const SIGN_WIDTH = 2;
const EMOJI_WIDTH = 3;

/** Returns the width of names, in steps, so that lanes seldom move. */
function agentWidthOf(
  agents: readonly Agent[],
  forest: Forest | null,
): number {
  const depth = forest?.levels.length ?? 0;
  const tree = depth === 0 ? 0 : (depth - 1) * LEVEL_WIDTH + SIGN_WIDTH;
  const widths = agents.map(({ label, emoji, id }) =>
    widthOf(label) + (emoji === null ? 0 : EMOJI_WIDTH) +
    (forest?.members.has(id) ? tree : 0)
  );
  return Math.ceil(Math.max(0, ...widths) / NAME_STEP) * NAME_STEP;
}

const NAME_STEP = 4;

/** Returns the order of accounts; `set` keeps the one that the person set. */
function orderOf(
  sort: SortName,
): (a: AccountGroup, b: AccountGroup) => number {
  switch (sort) {
    case "set":
      return () => 0;
    case "tokens":
      return (a, b) => b.tokens - a.tokens;
    case "name":
      return (a, b) => a.view.label < b.view.label ? -1 : 1;
    case "used":
      return (a, b) => usedOf(b.view) - usedOf(a.view);
  }
}

/** Returns the used share of the fullest window; -1 if none is known. */
function usedOf({ windows }: AccountView): number {
  return Math.max(-1, ...windows.map(({ utilization }) => utilization ?? -1));
}

function breadthOf(columns: number): Breadth {
  if (columns >= 119) return "full";
  if (columns >= 80) return "medium";
  return columns >= 60 ? "narrow" : "small";
}

/** Returns the rows that the filter lets through. */
export function filtered(rows: readonly Row[], model: Model): readonly Row[] {
  const wanted = model.filter.trim().toLowerCase();
  if (wanted === "") return rows;
  return rows.filter(({ search }) => search.toLowerCase().includes(wanted));
}
