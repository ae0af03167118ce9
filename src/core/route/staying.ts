/**
 * The steps of a decision in which the account is given already: asked for by
 * name, set by hand, or the one that holds the conversation's cache.
 *
 * @module
 */

import type { Ineligible } from "./eligible.ts";
import { mayOverflow } from "./gates.ts";
import type { Outcome } from "./decision.ts";
import type { Question } from "./question.ts";
import { waitedMs } from "./queue.ts";
import type { View } from "./scene.ts";
import type { WaitReason } from "../pool/state.ts";
import { after, SECOND_MS } from "../time.ts";

/** A request that waits for a place looks again at least so often. */
const LOOK_MS = 20 * SECOND_MS;

/** Past the limit, a request looks again at this pace. */
const OVERFLOW_LOOK_MS = SECOND_MS;

/** The one account asked for, or the manual primary. */
export function named(question: Question): Outcome | null {
  const { query, snapshot, views } = question.scene;
  const id = query.only ?? snapshot.pin;
  const view = views.find((candidate) => candidate.id === id);
  if (view === undefined || view.bar !== null) return null;
  const reason = query.only === null ? "pinned" : "only";
  return entered(question, { view, reason, wait: "full" });
}

/** The conversation stays where its cache is, if its policy says so. */
export function staying(question: Question): Outcome | null {
  const { scene, policy } = question;
  const { binding } = scene;
  const view = binding === null
    ? undefined
    : scene.open.find(({ id }) => id === binding.accountId);
  if (view === undefined || !policy.keeps(view, scene)) return null;
  return entered(question, { view, reason: "bound", wait: "warm_account" });
}

/** Into this account and no other, as soon as it has a place. */
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
  // Who is not the first in the line is woken when it moves.
  const overMs = ahead === 0 ? OVERFLOW_LOOK_MS : LOOK_MS;
  const lookMs = leftMs > 0 ? leftMs : overMs;
  return {
    kind: "wait",
    until: after(scene.at, lookMs),
    backAt: null,
    reason: wait,
  };
}

/** Closed by the provider, and open again by itself. */
export function isPassing(reason: Ineligible | null): boolean {
  return reason === "benched" || reason === "exhausted" ||
    reason === "family_exhausted";
}

/** A throttle this short is waited out for any cache, however small. */
const SHORT_THROTTLE_MS = 5 * SECOND_MS;

function isThrottled(view: View | undefined): boolean {
  const bench = view?.state.bench;
  return bench?.kind === "benched" && bench.reason.kind === "throttled";
}

/** A warm account that is back soon is worth the wait. */
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
