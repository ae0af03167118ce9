/**
 * How much useful work no policy could exceed: a maximum flow from work to
 * windows that ignores rate limits, lost caches and the order of requests.
 *
 * @module
 */

import {
  type PlannedAccount,
  type Workload,
  worths,
} from "./workload/workload.ts";

const HOUR_MS = 3_600_000;
const WINDOW_HOURS = 5;
const WEEK_HOURS = 168;

/** Most blocks of 1, 2, 4 … five-hour windows, each inside the next. */
const BLOCKS_MAX = 32;

export interface Bound {
  /** Useful work in all. */
  readonly total: number;
  /** The part that subscriptions could serve at most. */
  readonly served: number;
}

/** Work that is released within one hour and lost after another. */
interface Demand {
  readonly from: number;
  readonly to: number;
  readonly tokens: number;
}

export function boundOf(workload: Workload): Bound {
  const hours = Math.ceil((workload.endsAt - workload.startsAt) / HOUR_MS);
  const demands = demandsOf(workload, hours);
  const total = demands.reduce((sum, demand) => sum + demand.tokens, 0);
  const network = new Network();
  const source = network.node();
  const sink = network.node();
  const pool = Array.from({ length: hours }, () => network.node());
  addDemands(network, { demands, pool, source });
  const overshoot = largest(workload);
  for (const account of workload.accounts) {
    if (account.kind === "api_key") continue;
    addSupply(network, { account, workload, pool, sink, overshoot });
  }
  return { total, served: network.maximum(source, sink) };
}

function largest(workload: Workload): number {
  let most = 0;
  for (const { tokens } of worths(workload).values()) {
    most = Math.max(most, tokens);
  }
  return most;
}

function demandsOf(workload: Workload, hours: number): Demand[] {
  const sums = new Map<string, Demand>();
  for (const worth of worths(workload).values()) {
    const from = Math.floor((worth.releasedAt - workload.startsAt) / HOUR_MS);
    const last = Math.floor((worth.deadline - workload.startsAt) / HOUR_MS);
    const to = Math.min(hours - 1, Math.max(from, last));
    if (from >= hours) continue;
    const key = `${from}/${to}`;
    const tokens = worth.tokens + (sums.get(key)?.tokens ?? 0);
    sums.set(key, { from, to, tokens });
  }
  return [...sums.values()];
}

/** Adds one chain of hours per last hour, so that work may be done later. */
function addDemands(
  network: Network,
  { demands, pool, source }: {
    readonly demands: readonly Demand[];
    readonly pool: readonly number[];
    readonly source: number;
  },
): void {
  const byEnd = Map.groupBy(demands, ({ to }) => to);
  for (const [to, group] of byEnd) {
    const start = Math.min(...group.map(({ from }) => from));
    const chain = new Map<number, number>();
    for (let hour = start; hour <= to; hour++) {
      const node = network.node();
      chain.set(hour, node);
      network.edge(node, pool[hour] ?? node, Infinity);
      const before = chain.get(hour - 1);
      if (before !== undefined) network.edge(before, node, Infinity);
    }
    for (const { from, tokens } of group) {
      network.edge(source, chain.get(from) ?? source, tokens);
    }
  }
}

/** The hours of one week window, from `from` to before `to`, with its quota. */
interface Week {
  readonly from: number;
  readonly to: number;
  readonly tokens: number;
}

function weeksOf(account: PlannedAccount, workload: Workload): Week[] {
  const hours = (workload.endsAt - workload.startsAt) / HOUR_MS;
  const early = account.earlyResetAt;
  const weeks: Week[] = [];
  let from = 0;
  let left = (1 - account.weekUsed) * account.weekTokens;
  let end = (account.weekResetsAt - workload.startsAt) / HOUR_MS;
  if (early !== null) {
    const earlyHour = (early - workload.startsAt) / HOUR_MS;
    if (earlyHour < end) end = earlyHour;
  }
  while (from < hours) {
    weeks.push({ from, to: Math.min(hours, end), tokens: Math.max(0, left) });
    from = end;
    end += WEEK_HOURS;
    left = account.weekTokens;
  }
  return weeks;
}

interface Supply {
  readonly network: Network;
  readonly pool: readonly number[];
  /** Quota tokens of one window, plus the request that may overshoot it. */
  readonly window: number;
  /** The first hour after the week. */
  readonly end: number;
}

function addSupply(
  network: Network,
  { account, workload, pool, sink, overshoot }: {
    readonly account: PlannedAccount;
    readonly workload: Workload;
    readonly pool: readonly number[];
    readonly sink: number;
    readonly overshoot: number;
  },
): void {
  const window = account.fiveHourTokens + overshoot;
  const size = BLOCKS_MAX * WINDOW_HOURS;
  for (const week of weeksOf(account, workload)) {
    const root = network.node();
    network.edge(root, sink, week.tokens + overshoot);
    const end = Math.ceil(week.to);
    const supply = { network, pool, window, end };
    for (let from = Math.floor(week.from); from < end; from += size) {
      addBlock(supply, { from, size, parent: root });
    }
  }
}

/**
 * Adds `size` hours from `from` on, halved down to the length of one window.
 */
function addBlock(
  supply: Supply,
  { from, size, parent }: {
    readonly from: number;
    readonly size: number;
    readonly parent: number;
  },
): void {
  const { network, pool, window, end } = supply;
  if (from >= end) return;
  const node = network.node();
  // A block of k window lengths can hold parts of one window more.
  network.edge(node, parent, (size / WINDOW_HOURS + 1) * window);
  if (size > WINDOW_HOURS) {
    const half = size / 2;
    addBlock(supply, { from, size: half, parent: node });
    addBlock(supply, { from: from + half, size: half, parent: node });
    return;
  }
  for (let hour = from; hour < Math.min(end, from + size); hour++) {
    const at = pool[hour];
    if (at !== undefined) network.edge(at, node, Infinity);
  }
}

/** A flow network with numbered nodes and real capacities. */
export class Network {
  readonly #to: number[] = [];
  readonly #left: number[] = [];
  readonly #next: number[] = [];
  readonly #first: number[] = [];

  node(): number {
    this.#first.push(-1);
    return this.#first.length - 1;
  }

  edge(from: number, to: number, capacity: number): void {
    this.#half(from, to, capacity);
    this.#half(to, from, 0);
  }

  #half(from: number, to: number, capacity: number): void {
    this.#to.push(to);
    this.#left.push(capacity);
    this.#next.push(this.#first[from] ?? -1);
    this.#first[from] = this.#to.length - 1;
  }

  /** Returns the maximum flow, by Dinic's algorithm. */
  maximum(source: number, sink: number): number {
    let total = 0;
    while (true) {
      const level = this.#levels(source, sink);
      if (level === null) return total;
      const edge = [...this.#first];
      for (
        let given = this.#push(source, sink, { level, edge });
        given > EPSILON;
        given = this.#push(source, sink, { level, edge })
      ) total += given;
    }
  }

  #levels(source: number, sink: number): Int32Array | null {
    const level = new Int32Array(this.#first.length).fill(-1);
    level[source] = 0;
    const queue = [source];
    for (let head = 0; head < queue.length; head++) {
      const node = queue[head] ?? 0;
      for (let e = this.#first[node] ?? -1; e >= 0; e = this.#next[e] ?? -1) {
        const to = this.#to[e] ?? 0;
        if ((this.#left[e] ?? 0) <= EPSILON || (level[to] ?? 0) >= 0) continue;
        level[to] = (level[node] ?? 0) + 1;
        queue.push(to);
      }
    }
    return (level[sink] ?? -1) < 0 ? null : level;
  }

  /** Sends flow along one path; iterative, because paths are long. */
  #push(
    source: number,
    sink: number,
    { level, edge }: { readonly level: Int32Array; readonly edge: number[] },
  ): number {
    const path: number[] = [];
    let node = source;
    while (node !== sink) {
      const e = edge[node] ?? -1;
      if (e < 0) {
        const back = path.pop();
        if (back === undefined) return 0;
        node = this.#to[back ^ 1] ?? source;
        edge[node] = this.#next[edge[node] ?? 0] ?? -1;
        continue;
      }
      const to = this.#to[e] ?? 0;
      const isForward = (this.#left[e] ?? 0) > EPSILON &&
        level[to] === (level[node] ?? 0) + 1;
      if (!isForward) {
        edge[node] = this.#next[e] ?? -1;
        continue;
      }
      path.push(e);
      node = to;
    }
    const given = Math.min(...path.map((e) => this.#left[e] ?? 0));
    for (const e of path) {
      this.#left[e] = (this.#left[e] ?? 0) - given;
      this.#left[e ^ 1] = (this.#left[e ^ 1] ?? 0) + given;
    }
    return given;
  }
}

const EPSILON = 1e-6;
