/**
 * Compares policies on the same workloads, with each other and with the bound
 * that no policy can exceed.
 *
 * @module
 */

import type { PolicyName } from "../core/settings.ts";
import { type Bound, boundOf } from "./bound.ts";
import type { MachineLinks } from "./machines.ts";
import { play } from "./play.ts";
import type { HoldBounds } from "./proxy.ts";
import type { Score } from "./tally.ts";
import type { Workload } from "./workload/workload.ts";

/** How one policy did on one workload, as means over the seeds. */
export interface Standing {
  readonly policy: PolicyName;
  /** Useful work served, as a share of the bound. */
  readonly score: number;
  /** 429s that the provider sent, and those among them that named no window. */
  readonly refusals: number;
  readonly throttles: number;
  /** Share of quota spent on rewriting caches. */
  readonly rebuildShare: number;
  readonly stalledHours: number;
  /** Requests that waited longer than a minute. */
  readonly longWaits: number;
  /** The longest wait of a served request; the longest of all seeds. */
  readonly longestHours: number;
  readonly limitAnswers: number;
  readonly switchesPerSession: number;
  readonly dollars: number;
}

export interface Comparison {
  readonly workload: string;
  readonly seeds: readonly number[];
  /** Useful work in all, in quota tokens, as a mean over the seeds. */
  readonly demandTokens: number;
  /** Share of the demand that could be served at most. */
  readonly boundShare: number;
  readonly standings: readonly Standing[];
}

export interface CompareOptions {
  readonly seeds: readonly number[];
  readonly policies: readonly PolicyName[];
  /** How long requests are held, the rest on default. */
  readonly hold?: Partial<HoldBounds>;
  /** The machines that share the pool; one if absent. */
  readonly machines?: Partial<MachineLinks>;
  /** Called before each play with its name, its number and the total. */
  readonly onPlay?: (words: string, done: number, of: number) => void;
}

/** Plays the workload that `draw` returns for each seed under each policy. */
export function compare(
  draw: (seed: number) => Workload,
  { seeds, policies, hold, machines, onPlay }: CompareOptions,
): Comparison {
  const workloads = seeds.map(draw);
  const bounds = workloads.map(boundOf);
  let done = 0;
  return {
    workload: workloads[0]?.name ?? "",
    seeds,
    demandTokens: mean(bounds.map(({ total }) => total)),
    boundShare: mean(bounds.map(({ total, served }) => served / total)),
    standings: policies.map((policy) => {
      const scores = workloads.map((workload, index) => {
        const all = policies.length * workloads.length;
        onPlay?.(`${workload.name}, ${policy}`, done++, all);
        return play(workload, {
          settings: { policy },
          ...(hold === undefined ? {} : { hold }),
          ...(machines === undefined ? {} : { machines }),
          seed: seeds[index] ?? 1,
        });
      });
      return standing(policy, scores, bounds);
    }),
  };
}

function standing(
  policy: PolicyName,
  scores: readonly Score[],
  bounds: readonly Bound[],
): Standing {
  const over = (pick: (score: Score) => number) => mean(scores.map(pick));
  return {
    policy,
    score: mean(
      scores.map(({ usefulTokens }, index) =>
        usefulTokens / (bounds[index]?.served ?? Infinity)
      ),
    ),
    refusals: over((score) => score.refusals),
    throttles: over((score) => score.throttles),
    rebuildShare: over((score) => score.rebuildShare),
    stalledHours: over((score) => score.stalledHours),
    longWaits: over((score) => score.longWaits),
    longestHours: Math.max(...scores.map((score) => score.longestHours)),
    limitAnswers: over((score) => score.limitAnswers),
    switchesPerSession: over((score) => score.switchesPerSession),
    dollars: over((score) => score.dollars),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) /
    Math.max(1, values.length);
}
