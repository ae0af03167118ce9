/**
 * A map that shares most of its content with the copies made of it. The pool
 * can be an immutable value although hundreds of conversations change in it.
 *
 * @module
 */

const BUCKETS = 64;

type Bucket<K, V> = readonly (readonly [K, V])[];

/** Returns the FNV-1a hash of `key`, folded to a bucket number. */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) {
    hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  }
  return (hash ^ (hash >>> 12)) & (BUCKETS - 1);
}

/** A read-only map whose `with` and `without` return a changed copy. */
export class Table<K extends string, V> implements ReadonlyMap<K, V> {
  /** Public so that two tables can be compared by their content. */
  readonly buckets: readonly Bucket<K, V>[];
  readonly size: number;

  private constructor(buckets: readonly Bucket<K, V>[], size: number) {
    this.buckets = buckets;
    this.size = size;
  }

  static of<K extends string, V>(
    entries: Iterable<readonly [K, V]> = [],
  ): Table<K, V> {
    let table = new Table<K, V>(new Array(BUCKETS).fill([]), 0);
    for (const [key, value] of entries) table = table.with(key, value);
    return table;
  }

  get(key: K): V | undefined {
    for (const entry of this.buckets[bucketOf(key)] ?? []) {
      if (entry[0] === key) return entry[1];
    }
    return undefined;
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  /** Returns this table with `key` set to `value`. */
  with(key: K, value: V): Table<K, V> {
    const number = bucketOf(key);
    const bucket = this.buckets[number] ?? [];
    const place = bucket.findIndex((entry) => entry[0] === key);
    const changed = place < 0
      ? [...bucket, [key, value] as const]
      : bucket.with(place, [key, value]);
    return new Table(
      this.buckets.with(number, changed),
      place < 0 ? this.size + 1 : this.size,
    );
  }

  /**
   * Returns this table without `key`, or the table itself if the key is not
   * there.
   */
  without(key: K): Table<K, V> {
    const number = bucketOf(key);
    const bucket = this.buckets[number] ?? [];
    const left = bucket.filter((entry) => entry[0] !== key);
    if (left.length === bucket.length) return this;
    return new Table(this.buckets.with(number, left), this.size - 1);
  }

  /**
   * Returns the entries that `keep` accepts, or the table itself if it accepts
   * all.
   */
  filter(keep: (value: V, key: K) => boolean): Table<K, V> {
    let size = 0;
    const buckets = this.buckets.map((bucket) => {
      const left = bucket.filter(([key, value]) => keep(value, key));
      size += left.length;
      return left.length === bucket.length ? bucket : left;
    });
    return size === this.size ? this : new Table(buckets, size);
  }

  forEach(
    visit: (value: V, key: K, map: ReadonlyMap<K, V>) => void,
  ): void {
    for (const bucket of this.buckets) {
      for (const entry of bucket) visit(entry[1], entry[0], this);
    }
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
