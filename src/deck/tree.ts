/**
 * The tree of orchestration: which agent leads which, by the issues that the
 * agents are pinned to, with sums per node, level and tree. It tolerates any
 * pins: cycles, an issue that is its own parent, two agents on one issue.
 *
 * @module
 */

import { type Agent, byTokens } from "./agent.ts";

/** One issue with its agents and its subtree. */
interface Node {
  readonly issueId: string;
  /** By tokens; usually one agent. */
  readonly agents: readonly Agent[];
  /** By tokens of their subtrees. */
  readonly children: readonly Node[];
  readonly depth: number;
  readonly sum: Sum;
}

export interface Sum {
  readonly agents: number;
  readonly tokens: number;
  /** Null if nothing in it is priced. */
  readonly cost: number | null;
}

export interface Forest {
  /** Root issues, by tokens. */
  readonly roots: readonly Node[];
  /** One sum per depth. */
  readonly levels: readonly Sum[];
  readonly total: Sum;
  /** Ids of the agents that belong to a tree. */
  readonly members: ReadonlySet<string>;
}

const NOTHING: Sum = { agents: 0, tokens: 0, cost: null };

/**
 * Returns the trees whose root is a live lead: its issue is the parent of at
 * least one live agent, and its own parent is not live. All other agents stand
 * alone.
 */
export function forestOf(agents: readonly Agent[]): Forest {
  const byIssue = new Map<string, Agent[]>();
  for (const agent of agents) {
    if (agent.issueId === null) continue;
    const known = byIssue.get(agent.issueId);
    if (known === undefined) byIssue.set(agent.issueId, [agent]);
    else known.push(agent);
  }
  const childrenOf = new Map<string, string[]>();
  const roots: string[] = [];
  for (const [issueId, own] of byIssue) {
    const parent = parentOf(own);
    if (parent === null || !byIssue.has(parent)) roots.push(issueId);
    else childrenOf.set(parent, [...childrenOf.get(parent) ?? [], issueId]);
  }
  const grow = grower(byIssue, childrenOf);
  const nodes = roots
    .filter((issueId) => (childrenOf.get(issueId) ?? []).length > 0)
    .map((issueId) => grow(issueId, 0))
    .sort(bySum);
  const levels: Sum[] = [];
  const members = new Set<string>();
  for (const node of nodes) collect(node, levels, members);
  return {
    roots: nodes,
    levels,
    total: nodes.reduce((sum, node) => plus(sum, node.sum), NOTHING),
    members,
  };
}

/** Two agents of one issue may disagree: the first that names a parent wins. */
function parentOf(agents: readonly Agent[]): string | null {
  const named = agents
    .filter(({ parentId }) => parentId !== null)
    .sort((a, b) => a.id < b.id ? -1 : 1);
  return named[0]?.parentId ?? null;
}

function grower(
  byIssue: ReadonlyMap<string, readonly Agent[]>,
  childrenOf: ReadonlyMap<string, readonly string[]>,
): (issueId: string, depth: number) => Node {
  return function grow(issueId, depth): Node {
    // Each issue has one parent, so a subtree has no cycle.
    const agents = [...byIssue.get(issueId) ?? []].sort(byTokens);
    const children = (childrenOf.get(issueId) ?? [])
      .map((child) => grow(child, depth + 1))
      .sort(bySum);
    const sum = children.reduce(
      (total, child) => plus(total, child.sum),
      sumOf(agents),
    );
    return { issueId, agents, children, depth, sum };
  };
}

function bySum(a: Node, b: Node): number {
  return b.sum.tokens - a.sum.tokens || (a.issueId < b.issueId ? -1 : 1);
}

export function sumOf(agents: readonly Agent[]): Sum {
  return agents.reduce(
    (sum, { tokens, cost }) =>
      plus(sum, { agents: 1, tokens: tokens ?? 0, cost }),
    NOTHING,
  );
}

function plus(a: Sum, b: Sum): Sum {
  return {
    agents: a.agents + b.agents,
    tokens: a.tokens + b.tokens,
    cost: a.cost === null ? b.cost : a.cost + (b.cost ?? 0),
  };
}

function collect(node: Node, levels: Sum[], members: Set<string>): void {
  levels[node.depth] = plus(
    levels[node.depth] ?? NOTHING,
    sumOf(node.agents),
  );
  for (const { id } of node.agents) members.add(id);
  for (const child of node.children) collect(child, levels, members);
}

/** One row of the drawn tree. */
export interface TreeRow {
  readonly agent: Agent;
  readonly node: Node;
  /** Whether each ancestor, root first, has a sibling that stands below it. */
  readonly trail: readonly boolean[];
  readonly isLead: boolean;
  /** Whether the row shows the sum of the subtree. */
  readonly hasSum: boolean;
}

/**
 * Returns the trees row by row, from the root down. Between two sorts a row
 * stands where `places` says, by the agent's id, and its lines lead there.
 */
export function treeRows(
  forest: Forest,
  places: ReadonlyMap<string, number> = new Map(),
): readonly TreeRow[] {
  const rows: TreeRow[] = [];
  // A new row stands below the old ones, in its order.
  const placeOf = ({ id }: Agent) => places.get(id) ?? Infinity;
  const firstOf = ({ agents }: Node) => Math.min(...agents.map(placeOf));
  function walk(node: Node, trail: readonly boolean[]): void {
    const isLead = node.children.length > 0;
    const lowestAgent = lowest(node.agents, placeOf);
    const lowestChild = lowest(node.children, firstOf);
    node.agents.forEach((agent) => {
      // Agents on one issue are listed together; the last one continues the
      // tree.
      const isLast = agent === lowestAgent;
      const own = trail.length === 0 || isLast
        ? trail
        : [...trail.slice(0, -1), true];
      rows.push({ agent, node, trail: own, isLead, hasSum: isLead && isLast });
    });
    node.children.forEach((child) =>
      walk(child, [...trail, child !== lowestChild])
    );
  }
  for (const root of forest.roots) walk(root, []);
  return rows;
}

/** Returns the item whose place is the lowest on the screen. */
function lowest<Item>(
  items: readonly Item[],
  placeOf: (item: Item) => number,
): Item | null {
  return items.reduce<Item | null>(
    (low, item) => low === null || placeOf(item) >= placeOf(low) ? item : low,
    null,
  );
}
