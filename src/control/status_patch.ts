/**
 * What changed between two states of the pool, so that a watcher gets that and
 * not everything. Pure.
 *
 * @module
 */

import type { StatusView } from "./protocol.ts";

/** The lists of a status whose items have ids. */
const LISTS = ["accounts", "sessions", "requests", "activity"] as const;

type ListName = typeof LISTS[number];

type Item<Name extends ListName> = StatusView[Name][number];

interface ListPatch<Name extends ListName> {
  /** All ids in their order; null: the order is the one before. */
  readonly ids: readonly string[] | null;
  /** Items that are new or have changed. */
  readonly put: readonly Item<Name>[];
}

/** The change from one status to the next. */
interface StatusPatch {
  /** Everything but the lists, by name. */
  readonly set: Partial<StatusView>;
  readonly lists: { readonly [Name in ListName]?: ListPatch<Name> };
}

/** A message of the stream of `GET /tc/v1/watch`. */
export type WatchMessage =
  | { readonly kind: "status"; readonly status: StatusView }
  | { readonly kind: "patch"; readonly patch: StatusPatch };

/** Returns the change from `before` to `after`. */
export function patchOf(before: StatusView, after: StatusView): StatusPatch {
  const set: Record<string, unknown> = {};
  for (const key of Object.keys(after) as (keyof StatusView)[]) {
    if (isList(key)) continue;
    if (!isEqual(before[key], after[key])) set[key] = after[key];
  }
  const lists: Record<string, unknown> = {};
  for (const name of LISTS) {
    const patch = listPatch(name, before[name], after[name]);
    if (patch !== null) lists[name] = patch;
  }
  return { set: set as Partial<StatusView>, lists };
}

function isList(key: string): key is ListName {
  return (LISTS as readonly string[]).includes(key);
}

function listPatch<Name extends ListName>(
  name: Name,
  before: readonly Item<Name>[],
  after: readonly Item<Name>[],
): ListPatch<Name> | null {
  const known = new Map(before.map((item) => [item.id, item]));
  const put = after.filter((item) => {
    const old = known.get(item.id);
    return old === undefined || !isSameItem(name, old, item);
  });
  const isSameOrder = before.length === after.length &&
    before.every(({ id }, index) => id === after[index]?.id);
  if (put.length === 0 && isSameOrder) return null;
  return { ids: isSameOrder ? null : after.map(({ id }) => id), put };
}

function isSameItem<Name extends ListName>(
  name: Name,
  a: Item<Name>,
  b: Item<Name>,
): boolean {
  // A request that has ended does not change any more.
  return name === "activity" || isEqual(a, b);
}

function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object") return false;
  if (a === null || b === null) return false;
  const [left, right] = [a, b] as Record<string, unknown>[];
  if (left === undefined || right === undefined) return false;
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length &&
    keys.every((key) => isEqual(left[key], right[key]));
}

/** Returns the status after `patch`. */
export function patched(before: StatusView, patch: StatusPatch): StatusView {
  const { lists, set } = patch;
  return {
    ...before,
    ...set,
    accounts: patchedList(before.accounts, lists.accounts),
    sessions: patchedList(before.sessions, lists.sessions),
    requests: patchedList(before.requests, lists.requests),
    activity: patchedList(before.activity, lists.activity),
  };
}

function patchedList<Entry extends { readonly id: string }>(
  before: readonly Entry[],
  patch:
    | { readonly ids: readonly string[] | null; readonly put: readonly Entry[] }
    | undefined,
): readonly Entry[] {
  if (patch === undefined) return before;
  const items = new Map(
    [...before, ...patch.put].map((item) => [item.id, item]),
  );
  const ids = patch.ids ?? before.map(({ id }) => id);
  return ids.flatMap((id) => items.get(id) ?? []);
}
