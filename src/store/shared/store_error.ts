/**
 * The errors of a store that is away or refuses; nobody who can go on without it
 * fails for them.
 *
 * @module
 */

import { TcError } from "../../errors.ts";

const STORE_CODES = ["store_away", "store_failed", "no_store", "newer_store"];

/** Returns whether the store is away or refuses, and nothing else is wrong. */
export function isStoreError(cause: unknown): cause is TcError {
  return cause instanceof TcError && STORE_CODES.includes(cause.code);
}

/** Swallows that the store is away or refuses, and nothing else. */
export function onlyStore(cause: unknown): void {
  if (!isStoreError(cause)) throw cause;
}
