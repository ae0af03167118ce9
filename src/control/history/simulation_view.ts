/**
 * A replay of the history under other policies or other accounts, as the API
 * returns it. Within v1 fields are only added.
 *
 * @module
 */

import * as v from "valibot";
import { POLICY_NAMES, type PolicyName } from "../../core/settings.ts";
import type { TimeView } from "../protocol.ts";

/** What is to be replayed: the body of the request that starts it. */
export const SIMULATION_QUESTION = v.strictObject({
  days: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(365)),
    14,
  ),
  policies: v.optional(
    v.pipe(v.array(v.picklist(POLICY_NAMES)), v.maxLength(POLICY_NAMES.length)),
    [],
  ),
  accounts: v.optional(
    v.pipe(
      v.array(
        v.pipe(v.string(), v.regex(/^[+-][^,\-\p{Cc}][^,\p{Cc}]{0,80}$/u)),
      ),
      v.maxLength(8),
    ),
    [],
  ),
  ttl: v.optional(v.nullable(v.picklist(["5m", "1h"])), null),
});

/** A question with what was left out filled in. */
export interface SimulationQuestion {
  readonly days: number;
  /** Empty: every policy. */
  readonly policies: readonly PolicyName[];
  /** `+5x` adds an account of that plan, `-work` leaves one out. */
  readonly accounts: readonly string[];
  /** How long the prompt cache is assumed to live; null: as it was. */
  readonly ttl: "5m" | "1h" | null;
}

/** How one policy did. */
interface SimulatedPolicyView {
  readonly policy: string;
  /** Useful work served, as a share of what no policy could exceed. */
  readonly score: number;
  readonly refusals: number;
  /** Share of quota spent on rewriting caches. */
  readonly rebuildShare: number;
  readonly stalledHours: number;
  /** Requests that waited longer than a minute. */
  readonly longWaits: number;
  readonly dollars: number;
}

export interface SimulatedView {
  /** Null: there is too little history, and the built-in work was played. */
  readonly history: {
    readonly days: number;
    readonly requests: number;
    readonly check: {
      readonly policy: string;
      /** Relative difference of recorded and predicted quota tokens. */
      readonly error: number;
      readonly isGood: boolean;
      readonly isWaitingGood: boolean;
      readonly recordedStalledHours: number;
    };
    /** Null if the check failed, so that no conclusion is possible. */
    readonly comparison: {
      readonly standings: readonly SimulatedPolicyView[];
    } | null;
    /** What the added or removed accounts would have changed; null without. */
    readonly change: {
      readonly accounts: readonly string[];
      readonly stalledHoursBefore: number;
      readonly stalledHoursAfter: number;
    } | null;
  } | null;
}

export interface SimulationView {
  readonly schema: "tc.simulation/v1";
  readonly state: "none" | "running" | "done" | "failed" | "stopped";
  readonly question: SimulationQuestion | null;
  readonly startedAt: TimeView | null;
  /** Plays done, and all; null before the first is counted. */
  readonly progress: { readonly done: number; readonly of: number } | null;
  /** Why it failed; null if it did not. */
  readonly message: string | null;
  readonly result: SimulatedView | null;
}
