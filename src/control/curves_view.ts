/**
 * The last five hours of the pool, minute by minute, for the Deck's curves.
 *
 * @module
 */

import type { TimeView } from "./account_views.ts";

/** One window's used share; null where it was not known. */
interface CurveWindowView {
  /** Label of the account. */
  readonly account: string;
  /** `5h` or `7d`. */
  readonly key: string;
  readonly used: readonly (number | null)[];
}

/** Lists of equal length, one value a minute, the last one a minute ago. */
export interface CurvesView {
  readonly schema: "tc.curves/v1";
  readonly at: TimeView;
  /** Milliseconds between two values. */
  readonly stepMs: number;
  /** Tokens in and out, without what was read from the cache. */
  readonly tokens: readonly number[];
  /** Share of the prompt tokens read from cache; null without a prompt. */
  readonly hits: readonly (number | null)[];
  readonly windows: readonly CurveWindowView[];
}
