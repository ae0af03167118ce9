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
import type { Model, Pane } from "./model.ts";
import type { Glyphs } from "./terminal/theme.ts";
import { type Forest, forestOf } from "./tree.ts";

/** How much fits side by side: from 120, 80, 60 and 40 columns on. */
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
  readonly columns: number;
  readonly breadth: Breadth;
  readonly agents: readonly Agent[];
  readonly byId: ReadonlyMap<string, Agent>;
  readonly forest: Forest;
  /** Accounts, by the tokens of their agents. */
  readonly groups: readonly AccountGroup[];
  /** Agents without an account yet. */
  readonly unrouted: readonly Agent[];
  /** Width in cells of the longest account label, up to a limit. */
  readonly labelWidth: number;
}

/** One row of a list. */
export interface Row {
  /** Null if the cursor skips the row. */
  readonly key: string | null;
  readonly line: Line;
  /** The text that the filter searches. */
  readonly search: string;
  /** 0 is dropped last if there is little room, 2 first. */
  readonly rank: 0 | 1 | 2;
}

/** A part of the screen below one title line. */
export interface Section {
  readonly pane: Pane | null;
  readonly title: string;
  /** At the other end of the title line, or on its own line. */
  readonly aside: Line;
  readonly rows: readonly Row[];
}

const LABEL_MAX = 14;
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

function build(model: Model): Scene {
  const agents = agentsOf(model.status, model.local, model.now);
  const views = model.status?.accounts ?? [];
  const labels = new Set(views.map(({ label }) => label));
  const byAccount = Map.groupBy(agents, ({ account }) => account ?? "");
  const groups = views.map((view): AccountGroup => {
    const own = byAccount.get(view.label) ?? [];
    const tokens = own.reduce((sum, agent) => sum + (agent.tokens ?? 0), 0);
    return { view, agents: own, tokens };
  }).sort((a, b) => b.tokens - a.tokens);
  return {
    model,
    glyphs: model.look.glyphs,
    columns: model.size.columns,
    breadth: breadthOf(model.size.columns),
    agents,
    byId: new Map(agents.map((agent) => [agent.id, agent])),
    forest: forestOf(agents),
    groups,
    unrouted: agents.filter(({ account }) =>
      account === null || !labels.has(account)
    ),
    labelWidth: Math.min(
      LABEL_MAX,
      Math.max(LABEL_MIN, ...views.map(({ label }) => widthOf(label))),
    ),
  };
}

function breadthOf(columns: number): Breadth {
  if (columns >= 120) return "full";
  if (columns >= 80) return "medium";
  return columns >= 60 ? "narrow" : "small";
}

/** Returns the rows that the filter lets through. */
export function filtered(rows: readonly Row[], model: Model): readonly Row[] {
  const wanted = model.filter.trim().toLowerCase();
  if (wanted === "") return rows;
  return rows.filter(({ search }) => search.toLowerCase().includes(wanted));
}
