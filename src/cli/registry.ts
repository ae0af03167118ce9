/**
 * How a command's file hangs itself into the tree.
 *
 * @module
 */

import type { Environment } from "../system/paths.ts";

/** What a command's file needs to hang itself into the tree. */
export interface Registry {
  readonly environment: Environment;
  /** Wraps a command's action: its result is the exit code. */
  run<Args extends readonly unknown[]>(
    action: (...args: Args) => Promise<number> | number,
  ): (...args: Args) => Promise<void>;
}
