/**
 * Keeps the rows of a list in their places: it is sorted at most every ten
 * seconds and never under the cursor. In between, what ends leaves its place
 * free, and what is new takes a free place or the end.
 *
 * @module
 */

/** The rows of a list, by key, from the top; of some the row has ended. */
export interface Places {
  readonly keys: readonly string[];
  /** Epoch milliseconds; -Infinity before the first row. */
  readonly sortedAt: number;
}

export const NO_PLACES: Places = { keys: [], sortedAt: -Infinity };

/** Least time between two sorts of a list, in milliseconds. */
export const SORT_MS = 10_000;

interface Moment {
  readonly now: number;
  /** Whether the cursor is in the list, so that nothing may move. */
  readonly isHeld: boolean;
  /** The row under the cursor, whose place is not given away; or null. */
  readonly selected: string | null;
}

/** Returns the next places of the rows `wanted`, given in their order. */
export function settled(
  before: Places,
  wanted: readonly string[],
  { now, isHeld, selected }: Moment,
): Places {
  const isDue = now - before.sortedAt >= SORT_MS || now < before.sortedAt;
  const isEmpty = before.keys.length === 0;
  if (isEmpty || (isDue && !isHeld)) {
    if (isEmpty && wanted.length === 0) return before;
    if (isSame(before.keys, wanted) && !isDue) return before;
    return { keys: [...wanted], sortedAt: now };
  }
  const present = new Set(wanted);
  const placed = new Set(before.keys);
  const fresh = wanted.filter((key) => !placed.has(key));
  if (fresh.length === 0) return before;
  const keys = before.keys.map((key) =>
    present.has(key) || key === selected ? key : fresh.shift() ?? key
  );
  return { ...before, keys: [...keys, ...fresh] };
}

/**
 * Returns the next places in a log, whose newest row is the first: it moves on
 * unless the cursor is in it.
 */
export function logged(
  before: Places,
  wanted: readonly string[],
  { now, isHeld }: Pick<Moment, "now" | "isHeld">,
): Places {
  if (isHeld && before.keys.length > 0) return before;
  return isSame(before.keys, wanted)
    ? before
    : { keys: [...wanted], sortedAt: now };
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((key, index) => key === b[index]);
}
