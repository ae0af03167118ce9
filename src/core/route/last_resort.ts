/**
 * What to do when nothing may serve: try whether that still holds, wait for
 * the first that comes back, or say that none will.
 *
 * @module
 */

import { benchAt } from "../quota/bench.ts";
import type { Outcome } from "./outcome.ts";
import { isSpent } from "../quota/quota.ts";
import type { Question } from "./question.ts";
import type { Scene, View } from "./scene.ts";
import type { AccountState } from "../pool/state.ts";
import { after, earlier, type Instant } from "../time.ts";

/** The outcome where no account is open to the request. */
export function lastResort({ scene, standing }: Question): Outcome {
  const trial = nextTrial(scene);
  const isFirst = standing.cold === 0;
  if (trial !== null && trial.at <= scene.at && isFirst) {
    return { kind: "use", view: trial.view, reason: "probe" };
  }
  if (scene.soonest === null) return { kind: "refuse", reason: "none_usable" };
  const until = trial !== null && trial.at > scene.at
    ? earlier(scene.soonest, trial.at)
    : scene.soonest;
  return { kind: "wait", until, backAt: scene.soonest, reason: "closed" };
}

interface Trial {
  readonly view: View;
  /** From when on it may be made. */
  readonly at: Instant;
}

/** The account that is tried next, and when: the longest untried goes first. */
function nextTrial(scene: Scene): Trial | null {
  const worthy = scene.views.filter((view) => isWorthATrial(view, scene));
  const pauseMs = pauseBetween(worthy.length, scene);
  let next: Trial | null = null;
  for (const view of worthy) {
    // Its trial is under way.
    if (view.state.leases > 0) continue;
    const at = trialAt(view, scene, pauseMs);
    if (isBackBy(view, after(at, scene.settings.probeMs))) continue;
    const isSooner = next === null || at < next.at ||
      (at === next.at && view.id < next.view.id);
    if (isSooner) next = { view, at };
  }
  return next;
}

/** One quick round over the accounts, then ever slower: they said it plainly. */
function pauseBetween(
  accounts: number,
  { settings, snapshot }: Scene,
): number {
  const { probeMs, probeMaxMs, sweepMs } = settings;
  const slowedMs = probeMs * 2 ** (snapshot.probesRefused - accounts);
  return Math.min(probeMaxMs, Math.max(sweepMs, slowedMs));
}

/** Who is back about as soon as a trial could be made needs none. */
function isBackBy({ bar }: View, at: Instant): boolean {
  return bar !== null && bar.until !== null && bar.until <= at;
}

/** A trial asks the provider; what a person or the user's limit bars, it cannot open. */
function isWorthATrial({ bar, state }: View, { at }: Scene): boolean {
  switch (bar?.reason) {
    case "exhausted":
    case "family_exhausted":
      return true;
    case "benched": {
      const bench = benchAt(state.bench, at);
      return bench.kind === "benched" && bench.reason.kind !== "throttled";
    }
    default:
      return false;
  }
}

function trialAt(
  { state }: View,
  { settings, snapshot }: Scene,
  pauseMs: number,
): Instant {
  const own = refusedAt(state) + settings.probeMs;
  const pool = (snapshot.lastProbedAt ?? -Infinity) + pauseMs;
  const at = Math.max(own, pool);
  return Number.isFinite(at)
    ? after(snapshot.at, at - snapshot.at)
    : snapshot.at;
}

/** When the account was last asked, or its figures last seen to be spent. */
function refusedAt({ lastUsedAt, windows }: AccountState): number {
  let last = lastUsedAt ?? -Infinity;
  for (const window of Object.values(windows)) {
    if (isSpent(window)) last = Math.max(last, window.observedAt);
  }
  return last;
}
