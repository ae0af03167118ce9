/**
 * A map that shares most of its content with the copies made of it. The pool
 * can be an immutable value although thousands of conversations change in it:
 * a change copies the way to one entry, a few short arrays.
 *
 * @module
 */

/** Each branch has 32 children, chosen by the next 5 bits of a key's hash. */
const BITS = 5;
const WIDTH = 1 << BITS;
/** A leaf with more entries becomes a branch, and the reverse. */
const LEAF_MAX = 8;
/** Below this depth the hash has no bits left: its leaves have any size. */
const DEPTH_MAX = 6;

type Entry<K, V> = readonly [K, V];
type Leaf<K, V> = readonly Entry<K, V>[];
type Node<K, V> = Leaf<K, V> | Branch<K, V>;

interface Branch<K, V> {
  readonly size: number;
  readonly nodes: readonly Node<K, V>[];
}

const EMPTY: Leaf<never, never> = [];

/** Returns a hash of `key`: FNV-1a with its bits mixed once more. */
export function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  }
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ (hash >>> 12);
}

function placeAt(hash: number, depth: number): number {
  return (hash >>> (BITS * depth)) & (WIDTH - 1);
}

function isLeaf<K, V>(node: Node<K, V>): node is Leaf<K, V> {
  return Array.isArray(node);
}

function sizeOf<K, V>(node: Node<K, V>): number {
  return isLeaf(node) ? node.length : node.size;
}

function placeOf<K, V>(leaf: Leaf<K, V>, key: K): number {
  for (let at = 0; at < leaf.length; at++) {
    if (leaf[at]?.[0] === key) return at;
  }
  return -1;
}

function visitAll<K, V>(
  node: Node<K, V>,
  visit: (value: V, key: K) => void,
): void {
  if (isLeaf(node)) { for (const [key, value] of node) visit(value, key); }
  else for (const child of node.nodes) visitAll(child, visit);
}

/** Returns the node of `entries`, none of which has a key twice. */
function nodeOf<K extends string, V>(
  entries: Leaf<K, V>,
  depth: number,
): Node<K, V> {
  if (entries.length === 0) return EMPTY;
  if (entries.length <= LEAF_MAX || depth > DEPTH_MAX) return entries;
  const parts: Entry<K, V>[][] = Array.from({ length: WIDTH }, () => []);
  for (const entry of entries) {
    parts[placeAt(hashOf(entry[0]), depth)]?.push(entry);
  }
  const nodes = parts.map((part) => nodeOf(part, depth + 1));
  return { size: entries.length, nodes };
}

function withEntry<K extends string, V>(
  node: Node<K, V>,
  entry: Entry<K, V>,
  { hash, depth }: { readonly hash: number; readonly depth: number },
): Node<K, V> {
  if (isLeaf(node)) {
    const at = placeOf(node, entry[0]);
    if (at >= 0) return node.with(at, entry);
    return nodeOf([...node, entry], depth);
  }
  const place = placeAt(hash, depth);
  const before = node.nodes[place] ?? EMPTY;
  const after = withEntry(before, entry, { hash, depth: depth + 1 });
  return {
    size: node.size + sizeOf(after) - sizeOf(before),
    nodes: node.nodes.with(place, after),
  };
}

/** Returns the node without `key`, or the node itself if it has no such key. */
function withoutKey<K extends string, V>(
  node: Node<K, V>,
  key: K,
  { hash, depth }: { readonly hash: number; readonly depth: number },
): Node<K, V> {
  if (isLeaf(node)) {
    const at = placeOf(node, key);
    return at < 0 ? node : node.toSpliced(at, 1);
  }
  const place = placeAt(hash, depth);
  const before = node.nodes[place] ?? EMPTY;
  const after = withoutKey(before, key, { hash, depth: depth + 1 });
  if (after === before) return node;
  const size = node.size - 1;
  const nodes = node.nodes.with(place, after);
  return size > LEAF_MAX ? { size, nodes } : merged(nodes);
}

function merged<K, V>(nodes: readonly Node<K, V>[]): Leaf<K, V> {
  return nodes.flatMap((node) => isLeaf(node) ? node : merged(node.nodes));
}

function filtered<K extends string, V>(
  node: Node<K, V>,
  keep: (value: V, key: K) => boolean,
): Node<K, V> {
  if (isLeaf(node)) {
    const left = node.filter(([key, value]) => keep(value, key));
    return left.length === node.length ? node : left;
  }
  let size = 0;
  const nodes = node.nodes.map((child) => {
    const left = filtered(child, keep);
    size += sizeOf(left);
    return left;
  });
  if (size === node.size) return node;
  return size > LEAF_MAX ? { size, nodes } : merged(nodes);
}

function compare<K, V>(
  before: Node<K, V>,
  now: Node<K, V>,
  visit: (value: V, sign: 1 | -1) => void,
): void {
  if (before === now) return;
  if (isLeaf(before) || isLeaf(now)) {
    visitAll(before, (value) => visit(value, -1));
    visitAll(now, (value) => visit(value, 1));
    return;
  }
  for (let place = 0; place < WIDTH; place++) {
    compare(before.nodes[place] ?? EMPTY, now.nodes[place] ?? EMPTY, visit);
  }
}

/** A read-only map whose `with` and `without` return a changed copy. */
export class Table<K extends string, V> implements ReadonlyMap<K, V> {
  /** Public so that two tables can be compared by their content. */
  readonly root: Node<K, V>;

  private constructor(root: Node<K, V>) {
    this.root = root;
  }

  static of<K extends string, V>(
    entries: Iterable<readonly [K, V]> = [],
  ): Table<K, V> {
    let table = new Table<K, V>(EMPTY);
    for (const [key, value] of entries) table = table.with(key, value);
    return table;
  }

  get size(): number {
    return sizeOf(this.root);
  }

  get(key: K): V | undefined {
    let node = this.root;
    if (!isLeaf(node)) {
      const hash = hashOf(key);
      for (let depth = 0; !isLeaf(node); depth++) {
        node = node.nodes[placeAt(hash, depth)] ?? EMPTY;
      }
    }
    for (const entry of node) if (entry[0] === key) return entry[1];
    return undefined;
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  /** Returns this table with `key` set to `value`. */
  with(key: K, value: V): Table<K, V> {
    const way = { hash: hashOf(key), depth: 0 };
    return new Table(withEntry(this.root, [key, value], way));
  }

  /**
   * Returns this table without `key`, or the table itself if the key is not
   * there.
   */
  without(key: K): Table<K, V> {
    const way = { hash: hashOf(key), depth: 0 };
    const root = withoutKey(this.root, key, way);
    return root === this.root ? this : new Table(root);
  }

  /**
   * Returns the entries that `keep` accepts, or the table itself if it accepts
   * all.
   */
  filter(keep: (value: V, key: K) => boolean): Table<K, V> {
    const root = filtered(this.root, keep);
    return root === this.root ? this : new Table(root);
  }

  /**
   * Calls `visit` with the values that only one of the two tables may have: -1
   * for those of `before`, 1 for those of this one. Parts that the tables share
   * are skipped, so it costs what changed.
   */
  compare(
    before: Table<K, V>,
    visit: (value: V, sign: 1 | -1) => void,
  ): void {
    compare(before.root, this.root, visit);
  }

  forEach(
    visit: (value: V, key: K, map: ReadonlyMap<K, V>) => void,
  ): void {
    visitAll(this.root, (value, key) => visit(value, key, this));
  }

  entries(): MapIterator<[K, V]> {
    return this.#list((key, value): [K, V] => [key, value]);
  }

  keys(): MapIterator<K> {
    return this.#list((key) => key);
  }

  values(): MapIterator<V> {
    return this.#list((_, value) => value);
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries();
  }

  #list<T>(pick: (key: K, value: V) => T): MapIterator<T> {
    const list: T[] = [];
    this.forEach((value, key) => list.push(pick(key, value)));
    return list.values();
  }
}
