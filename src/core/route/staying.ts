/**
 * The steps of a decision in which the account is already given: asked for by
 * name, pinned, or holding the conversation's cache.
 *
 * @module
 */

import type { Ineligible } from "./eligible.ts";
import { mayOverflow } from "./gates.ts";
import type { Outcome } from "./decision.ts";
import type { Question } from "./question.ts";
import { waitedMs } from "./queue.ts";
import type { Scene, View } from "./scene.ts";
import type { WaitReason } from "../pool/state.ts";
import { after, SECOND_MS } from "../time.ts";

/** Longest interval at which a request that waits for a place looks again. */
const LOOK_MS = 20 * SECOND_MS;

/** Interval at which a request looks again once it may pass the limit. */
const OVERFLOW_LOOK_MS = SECOND_MS;

/** Returns the outcome for the account asked for by name, or for the pin. */
export function named(question: Question): Outcome | null {
  const { query, snapshot, views } = question.scene;
  const id = query.only ?? snapshot.pin;
  const view = views.find((candidate) => candidate.id === id);
  if (view === undefined || view.bar !== null) return null;
  const reason = query.only === null ? "pinned" : "only";
  return entered(question, { view, reason, wait: "full" });
}

/** Keeps the conversation where its cache is, if its policy says so. */
export function staying(question: Question): Outcome | null {
  const { scene, policy } = question;
  const view = homeOf(scene);
  if (view === undefined || !policy.keeps(view, scene)) return null;
  return entered(question, { view, reason: "bound", wait: "warm_account" });
}

/**
 * Returns the account of the conversation, if it may serve. That is also one
 * whose figure is at its end: it reads 100 % from 99.5 % on, and a window can be
 * overshot by one request, so to leave it would write the cache again while
 * home still serves. A refusal costs a third of a second.
 */
function homeOf({ binding, open, views }: Scene): View | undefined {
  if (binding === null) return undefined;
  const home = views.find(({ id }) => id === binding.accountId);
  if (home === undefined || open.includes(home)) return home;
  const isReserve = open.some(({ rank }) => rank < home.rank);
  return home.bar === null && home.isFull && !isReserve ? home : undefined;
}

/** Waits for this account and no other until it has a place. */
function entered(
  question: Question,
  { view, reason, wait }: {
    readonly view: View;
    readonly reason: "bound" | "pinned" | "only";
    readonly wait: WaitReason;
  },
): Outcome {
  const { scene, policy, standing } = question;
  const room = question.roomOf(view).warm;
  const ahead = reason === "bound" ? standing.warmAt.get(view.id) ?? 0 : 0;
  if (room > ahead) return { kind: "use", view, reason };
  const leftMs = scene.settings.fullWaitMaxMs -
    waitedMs(scene, standing.own, [wait]);
  if (leftMs <= 0 && ahead === 0 && mayOverflow(view, scene, policy)) {
    return { kind: "use", view, reason };
  }
  // Only the head of the queue polls; the rest are woken when it advances.
  const overMs = ahead === 0 ? OVERFLOW_LOOK_MS : LOOK_MS;
  const lookMs = leftMs > 0 ? leftMs : overMs;
  return {
    kind: "wait",
    until: after(scene.at, lookMs),
    backAt: null,
    reason: wait,
  };
}

/** Whether the provider closed the account and it will open again by itself. */
export function isPassing(reason: Ineligible | null): boolean {
  return reason === "benched" || reason === "exhausted" ||
    reason === "family_exhausted";
}

/** A throttle up to this length is waited out for any cache, however small. */
const SHORT_THROTTLE_MS = 5 * SECOND_MS;

function isThrottled(view: View | undefined): boolean {
  const bench = view?.state.bench;
  return bench?.kind === "benched" && bench.reason.kind === "throttled";
}

/** A warm account that is back soon is worth waiting for. */
export function awaitingHome({ scene }: Question): Outcome | null {
  const { binding, isWarm, at, settings, contextTokens, query } = scene;
  if (binding === null || !isWarm) return null;
  const home = scene.views.find((view) => view.id === binding.accountId);
  const bar = home?.bar ?? null;
  if (bar === null || bar.until === null) return null;
  if (!isPassing(bar.reason)) return null;
  const worthMs = Math.max(
    isThrottled(home) ? SHORT_THROTTLE_MS : 0,
    Math.min(
      settings.warmWaitMaxMs,
      contextTokens / settings.warmWaitTokensPerSecond * SECOND_MS,
    ),
  );
  return query.waitedMs + (bar.until - at) <= worthMs
    ? {
      kind: "wait",
      until: bar.until,
      backAt: bar.until,
      reason: "warm_account",
    }
    : null;
}
