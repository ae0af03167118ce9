/**
 * The free choice: a conversation without a warm account goes where its policy
 * says, among those with a place, after those who wait already.
 *
 * @module
 */

import type { Outcome, UseReason } from "./decision.ts";
import { mayOverflow } from "./gates.ts";
import { feeding, isParkable, parkedMs, turnAt } from "./parking.ts";
import type { Question } from "./question.ts";
import { waitedMs } from "./queue.ts";
import type { Scene, View } from "./scene.ts";
import { inFlightCap } from "../pool/lease.ts";
import { after, earlier, type Instant, MINUTE_MS, SECOND_MS } from "../time.ts";
import { tierWeight } from "../account.ts";

/** A request that waits for a place looks again at least so often. */
const LOOK_MS = 20 * SECOND_MS;
const OVERFLOW_LOOK_MS = SECOND_MS;
const PARKED_LOOK_MS = 5 * MINUTE_MS;

/** A sub-agent starts beside its parent up to this many requests over the idlest. */
const BESIDE_PARENT_MAX = 2;

/** A small request that starts the clock of an idle window. */
export function opening(question: Question): Outcome | null {
  const view = toOpen(question);
  return view === null ? null : { kind: "use", view, reason: "opens_window" };
}

/** A free choice among those who may serve. */
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
    // The others are woken in their turn: a conversation that goes in is a change.
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
 * that one's cache is, unless the account carries too much.
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
  const idlest = Math.min(...views.map(({ state }) => state.leases));
  return view.state.leases <= idlest + BESIDE_PARENT_MAX ? view : null;
}

/** Every place is taken or promised: wait, and in the end pass a limit. */
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
  // Who is not the first in the line is woken when it moves.
  const overMs = isFirst ? OVERFLOW_LOOK_MS : LOOK_MS;
  const lookMs = leftMs > 0 ? Math.min(LOOK_MS, leftMs) : overMs;
  const until = earlier(after(scene.at, lookMs), scene.soonest);
  return { kind: "wait", until, backAt: null, reason: "full" };
}

function lighter(a: View, b: View, at: Instant): View {
  const order = load(a, at) - load(b, at);
  return order < 0 || (order === 0 && a.id < b.id) ? a : b;
}

function load({ state }: View, at: Instant): number {
  return state.leases / inFlightCap(state.gate, at);
}

// Idle five-hour windows: a clock that runs while nobody works is lost, one
// that stands when work begins is lost too. A small request starts it.

/** A request up to this size costs nothing worth counting. */
const SMALL_TOKENS = 8_000;

/** A person is at work if a prompt came within this time. */
const AT_WORK_MS = 10 * MINUTE_MS;

/** An account asked this lately has been opened, whatever its figures say yet. */
const JUST_USED_MS = 10 * MINUTE_MS;

/**
 * The idle account whose clock this small request should start, or null. Only
 * real requests are used, and only while a person is at work.
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
  if (!isAtWork) return null;
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

function isIdle({ state, rank, fiveHour }: View, { at }: Scene): boolean {
  const isLately = state.lastUsedAt !== null &&
    at - state.lastUsedAt < JUST_USED_MS;
  return rank === 0 && fiveHour === null && state.leases === 0 && !isLately;
}

/** What an open window of it would hold, against the others. */
function worth({ state, weekUsed }: View): number {
  return tierWeight(state.account.tier) * (1 - weekUsed);
}
