/**
 * Maximum flow, for the bound that no policy can pass.
 *
 * @module
 */

/** A network of nodes by number; capacities are real numbers. */
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

  /** Dinic's algorithm. */
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

  /** Sends one path's worth; without recursion, since paths are long. */
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
