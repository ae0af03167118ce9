/**
 * The free choice: a conversation without a warm account goes where its policy
 * says, among the accounts with a place, after those that already wait.
 *
 * @module
 */

import type { Outcome, UseReason } from "./decision.ts";
import { inFlight, mayOverflow } from "./gates.ts";
import { feeding, isParkable, parkedMs, turnAt } from "./parking.ts";
import type { Question } from "./question.ts";
import { waitedMs } from "./queue.ts";
import type { Scene, View } from "./scene.ts";
import { inFlightCap } from "../pool/lease.ts";
import { after, earlier, type Instant, MINUTE_MS, SECOND_MS } from "../time.ts";
import { tierWeight } from "../account.ts";
import { fiveHourLeft, fiveHourTokens } from "../quota/projection.ts";

/** Longest interval at which a request that waits for a place looks again. */
const LOOK_MS = 20 * SECOND_MS;
const OVERFLOW_LOOK_MS = SECOND_MS;
const PARKED_LOOK_MS = 5 * MINUTE_MS;

/**
 * A sub-agent starts beside its parent up to this many requests above the
 * idlest account.
 */
const BESIDE_PARENT_MAX = 2;

/**
 * Returns the account whose idle window a small request should start, or null.
 */
export function opening(question: Question): Outcome | null {
  const view = toOpen(question);
  return view === null ? null : { kind: "use", view, reason: "opens_window" };
}

/** Returns the free choice among the accounts that may serve. */
export function placing(question: Question): Outcome | null {
  const { scene, standing, policy } = question;
  if (scene.open.length === 0) return null;
  const free: View[] = [];
  let places = 0;
  for (const view of scene.open) {
    const left = question.placesOf(view);
    if (left > 0) free.push(view);
    places += left;
  }
  if (places <= standing.cold) return crowded(question);
  const group = firstByPriority(free);
  const beside = besideParent(question, group);
  if (beside !== null) return { kind: "use", view: beside, reason: "parent" };
  const fed = isParkable(scene) ? feeding(group, scene, standing) : group;
  if (fed !== group && fed.length <= standing.parked) {
    // The rest are woken in turn, because each conversation that enters is a
    // change.
    const lookMs = standing.parked === 0 ? LOOK_MS : PARKED_LOOK_MS;
    return {
      kind: "wait",
      until: after(scene.at, lookMs),
      backAt: turnAt(scene, parkedMs(scene, standing)),
      reason: "parked",
    };
  }
  const view = policy.choose(
    underSessionCap(fed, scene),
    question.costs,
    scene,
  );
  if (view.writesUntil !== null && policy.pricesChildren) {
    const until = view.writesUntil;
    return { kind: "wait", until, backAt: until, reason: "shared_prompt" };
  }
  return { kind: "use", view, reason: reasonFor(scene, view) };
}

function reasonFor({ views, binding }: Scene, view: View): UseReason {
  const isDear = view.rank > 0 &&
    views.some((other) => other.rank < view.rank);
  if (isDear) return "last_resort";
  if (binding === null) return "new";
  return binding.accountId === view.id ? "bound" : "moved";
}

function underSessionCap(
  views: readonly View[],
  { settings, layers }: Scene,
): readonly View[] {
  if (!layers.sessionCap) return views;
  const under = views.filter((view) => view.heads.warm < settings.sessionsMax);
  return under.length > 0 ? under : views;
}

/** The user's own order goes before any score. */
function firstByPriority(views: readonly View[]): readonly View[] {
  let first = Infinity;
  for (const { state } of views) {
    first = Math.min(first, state.account.priority);
  }
  return views.filter(({ state }) => state.account.priority === first);
}

/**
 * A sub-agent starts where its parent is, and a copy of a conversation where
 * the original's cache is, unless that account carries too much.
 */
function besideParent(
  { scene, policy }: Question,
  views: readonly View[],
): View | null {
  const { binding } = scene;
  const near = scene.kin ?? scene.parent;
  if (near === null || binding !== null || policy.pricesChildren) return null;
  const view = views.find(({ id }) => id === near.accountId);
  if (view === undefined || !policy.keeps(view, scene)) return null;
  const idlest = Math.min(...views.map(inFlight));
  return inFlight(view) <= idlest + BESIDE_PARENT_MAX ? view : null;
}

/**
 * Every place is taken or promised: wait, and in the end pass a learned limit.
 */
function crowded({ scene, standing, policy }: Question): Outcome {
  const leftMs = scene.settings.fullWaitMaxMs -
    waitedMs(scene, standing.own, ["full"]);
  const isFirst = standing.cold === 0;
  if (leftMs <= 0 && isFirst) {
    const able = scene.open.filter((view) => mayOverflow(view, scene, policy));
    if (able.length > 0) {
      const view = firstByPriority(able).reduce((a, b) =>
        lighter(a, b, scene.at)
      );
      return { kind: "use", view, reason: reasonFor(scene, view) };
    }
  }
  // Only the head of the queue polls; the rest are woken when it advances.
  const overMs = isFirst ? OVERFLOW_LOOK_MS : LOOK_MS;
  const lookMs = leftMs > 0 ? Math.min(LOOK_MS, leftMs) : overMs;
  const until = earlier(after(scene.at, lookMs), scene.soonest);
  return { kind: "wait", until, backAt: null, reason: "full" };
}

function lighter(a: View, b: View, at: Instant): View {
  const order = load(a, at) - load(b, at);
  return order < 0 || (order === 0 && a.id < b.id) ? a : b;
}

function load(view: View, at: Instant): number {
  return inFlight(view) / inFlightCap(view.state.gate, at);
}

// Idle five-hour windows: a window that runs while nobody works is lost, and so
// is one that is not running when work begins. A small request starts it.

/** A request up to this many tokens costs nothing worth counting. */
const SMALL_TOKENS = 8_000;

/** A person counts as at work if a prompt came within this time. */
const AT_WORK_MS = 10 * MINUTE_MS;

/**
 * An account asked this recently has been opened, even if its figures do not
 * show it yet.
 */
const JUST_USED_MS = 10 * MINUTE_MS;

/**
 * Returns the idle account whose window this small request should start, or
 * null. Only real requests are used, and only while a person is at work.
 */
function toOpen(question: Question): View | null {
  const { scene } = question;
  const { query, settings, snapshot, at } = scene;
  if (settings.openWindows === "off") return null;
  if (!query.isSide || !query.isMetered) return null;
  if (query.contextTokens > SMALL_TOKENS) return null;
  if (snapshot.pin !== null || query.only !== null) return null;
  const isAtWork = query.isPrompt || snapshot.lastPromptAt !== null &&
      at - snapshot.lastPromptAt <= AT_WORK_MS;
  if (!isAtWork || !isWorthOpening(scene)) return null;
  let chosen: View | null = null;
  for (const view of scene.open) {
    if (!isIdle(view, scene) || question.roomOf(view).cold < 1) continue;
    if (chosen === null || worth(view) > worth(chosen)) chosen = view;
    else if (worth(view) === worth(chosen) && view.id < chosen.id) {
      chosen = view;
    }
  }
  return chosen;
}

/** A cache that lives longer binds a conversation to its account for hours. */
const LONG_CACHE_FROM_MS = 10 * MINUTE_MS;
const WINDOW_HOURS = 5;

/**
 * Returns whether one more running window is expected to be used. With a
 * one-hour cache it is: conversations stay where they are, and a reset in the
 * middle of their work saves them a move. With a five-minute cache it is only if
 * the work of the next five hours does not fit what the running windows have
 * left; else the window would only end before it is needed.
 */
function isWorthOpening(scene: Scene): boolean {
  const { open, parent, query, census, snapshot: { flow } } = scene;
  const cacheMs = parent === null
    ? query.cacheTtlMs
    : parent.warmUntil - parent.lastUsedAt;
  if (cacheMs > LONG_CACHE_FROM_MS) return true;
  let left = 0;
  let hours = WINDOW_HOURS;
  for (const view of open) {
    if (isStopped(view)) continue;
    left += (1 - view.fiveHourUsed) * fiveHourTokens(view.state);
    hours = Math.min(hours, fiveHourLeft(view, scene));
  }
  const heads = Math.max(1, census.active + census.stalled);
  return heads * flow.tokensPerHour * hours > left;
}

/**
 * Whether no five-hour window of the account runs, by its headers or by the
 * usage endpoint, which lists an idle window as unused and without a reset.
 */
function isStopped({ fiveHour }: View): boolean {
  return fiveHour === null ||
    fiveHour.resetsAt === null && (fiveHour.utilization ?? 0) === 0;
}

/** Whether the account could be opened. One that the user pays for is not. */
function isIdle(view: View, { at }: Scene): boolean {
  const { state, rank } = view;
  const isLately = state.lastUsedAt !== null &&
    at - state.lastUsedAt < JUST_USED_MS;
  return rank === 0 && isStopped(view) && state.leases === 0 && !isLately;
}

/**
 * Returns what an open window of the account would hold, to rank it against the
 * others.
 */
function worth({ state, weekUsed }: View): number {
  return tierWeight(state.account.tier) * (1 - weekUsed);
}
