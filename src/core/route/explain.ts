/**
 * A decision with its reasons: every account as it was seen.
 *
 * @module
 */

import type { Considered, RouteDecision } from "./decision.ts";
import type { Bar } from "./eligible.ts";
import type { Outcome } from "./outcome.ts";
import type { Question } from "./question.ts";
import type { View } from "./scene.ts";

const NO_TERMS: Readonly<Record<string, number>> = {};

/**
 * The decision that `outcome` amounts to. Its `considered` is worked out when it
 * is first read, since few read it; until then it holds on to the scene.
 */
export function explained(
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

/** Why `view` was passed over: its own bar, its rank, or its gates. */
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
