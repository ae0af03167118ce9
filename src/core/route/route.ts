/**
 * `route()`: a snapshot and a query in, a decision with its reasons out.
 *
 * @module
 */

import type {
  Considered,
  Outcome,
  RouteDecision,
  RouteQuery,
} from "./decision.ts";
import type { Bar } from "./eligible.ts";
import { opening, placing } from "./placing.ts";
import { Question } from "./question.ts";
import { type Scene, survey, type View } from "./scene.ts";
import type { AccountState, PoolSnapshot } from "../pool/state.ts";
import { awaitingHome, named, staying } from "./staying.ts";
import { benchAt } from "../quota/bench.ts";
import { isSpent } from "../quota/quota.ts";
import { after, earlier, type Instant } from "../time.ts";

export type {
  Considered,
  RouteDecision,
  RouteQuery,
  UseReason,
} from "./decision.ts";

/**
 * Returns where the request goes now, or why it must wait or cannot go at all.
 */
export function route(
  snapshot: PoolSnapshot,
  query: RouteQuery,
): RouteDecision {
  const scene = survey(snapshot, query);
  if (scene.views.length === 0) {
    return { kind: "refuse", reason: "no_account", considered: [] };
  }
  const question = new Question(scene);
  const outcome = named(question) ?? staying(question) ??
    awaitingHome(question) ?? opening(question) ?? placing(question) ??
    lastResort(question);
  return explained(question, outcome);
}

const NO_TERMS: Readonly<Record<string, number>> = {};

/**
 * Returns the decision that `outcome` amounts to. Its `considered` is worked
 * out when first read, because few callers read it; until then it keeps the
 * scene alive.
 */
function explained(
  question: Question,
  outcome: Outcome,
): RouteDecision {
  let list: readonly Considered[] | null = null;
  function considered(): readonly Considered[] {
    return list ??= consideredIn(question, outcome);
  }
  switch (outcome.kind) {
    case "use": {
      const from = question.scene.binding?.accountId ?? null;
      return {
        kind: "use",
        accountId: outcome.view.id,
        reason: outcome.reason,
        movedFrom: from === outcome.view.id ? null : from,
        get considered() {
          return considered();
        },
      };
    }
    case "wait":
      return {
        kind: "wait",
        until: outcome.until,
        backAt: outcome.backAt,
        reason: outcome.reason,
        get considered() {
          return considered();
        },
      };
    case "refuse":
      return {
        kind: "refuse",
        reason: outcome.reason,
        get considered() {
          return considered();
        },
      };
  }
}

function consideredIn(
  question: Question,
  outcome: Outcome,
): readonly Considered[] {
  const { scene, costs } = question;
  const chosen = outcome.kind === "use" ? outcome.view : null;
  return scene.views.map((view): Considered => {
    const bar = barIn(question, view, chosen);
    const cost = costs.get(view.id);
    return {
      accountId: view.id,
      ineligible: bar?.reason ?? null,
      until: bar?.until ?? null,
      cost: cost?.total ?? null,
      terms: cost?.terms ?? NO_TERMS,
    };
  });
}

/** Returns why `view` was passed over: its own bar, its rank, or its gates. */
function barIn(
  question: Question,
  view: View,
  chosen: View | null,
): Bar | null {
  if (view.bar !== null || view === chosen) return view.bar;
  const { scene } = question;
  if (!scene.open.includes(view)) {
    return { reason: "reserve", until: scene.soonest };
  }
  const room = question.roomOf(view);
  const isHome = scene.binding?.accountId === view.id;
  if ((isHome ? room.warm : room.cold) > 0) return null;
  return { reason: room.isTrial ? "probation" : "full", until: null };
}

// If no account may serve: try whether that still holds, wait for the first
// account that returns, or refuse.

/** Returns the outcome if no account is open to the request. */
function lastResort({ scene, standing }: Question): Outcome {
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
  /** From when the trial may be sent. */
  readonly at: Instant;
}

/**
 * Returns the account that is tried next, and when. The account untried for
 * longest goes first.
 */
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

/**
 * Probe each account once quickly, then back off: they have refused explicitly.
 */
function pauseBetween(
  accounts: number,
  { settings, snapshot }: Scene,
): number {
  const { probeMs, probeMaxMs, sweepMs } = settings;
  const slowedMs = probeMs * 2 ** (snapshot.probesRefused - accounts);
  return Math.min(probeMaxMs, Math.max(sweepMs, slowedMs));
}

/** An account that returns about when a trial could be sent needs no trial. */
function isBackBy({ bar }: View, at: Instant): boolean {
  return bar !== null && bar.until !== null && bar.until <= at;
}

/**
 * Returns whether a trial can open the account. It cannot lift what a person or
 * the user's own limit bars.
 */
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

/**
 * When the account was last asked, or when its figures last showed it spent.
 */
function refusedAt({ lastUsedAt, windows }: AccountState): number {
  let last = lastUsedAt ?? -Infinity;
  for (const window of Object.values(windows)) {
    if (isSpent(window)) last = Math.max(last, window.observedAt);
  }
  return last;
}
