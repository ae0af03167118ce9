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

export function explained(
  question: Question,
  outcome: Outcome,
): RouteDecision {
  const { scene, costs } = question;
  const chosen = outcome.kind === "use" ? outcome.view : null;
  const considered = scene.views.map((view): Considered => {
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
  if (outcome.kind !== "use") return { ...outcome, considered };
  const { view, reason } = outcome;
  const from = scene.binding?.accountId ?? null;
  return {
    kind: "use",
    accountId: view.id,
    reason,
    movedFrom: from === view.id ? null : from,
    considered,
  };
}

/** Why `view` was passed over: its own bar, its rank, or its gates. */
function barIn(
  { scene, rooms }: Question,
  view: View,
  chosen: View | null,
): Bar | null {
  if (view.bar !== null || view === chosen) return view.bar;
  const room = rooms.get(view);
  if (room === undefined) return { reason: "reserve", until: scene.soonest };
  const isHome = scene.binding?.accountId === view.id;
  if ((isHome ? room.warm : room.cold) > 0) return null;
  return { reason: room.isTrial ? "probation" : "full", until: null };
}
