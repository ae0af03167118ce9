/**
 * `scored`: chosen once for a conversation, by the remaining quota of both
 * windows and by how many conversations are there already.
 *
 * Source: claude-multi, `burst * 0.7 + rolling * 0.3 - 2 * sessions`, with the
 * provider's figures in place of its guesses.
 *
 * @module
 */

import type { View } from "../route/scene.ts";
import { cheapest, costsOf, learnedMax, type Policy } from "./policy.ts";

const BURST = 0.7;
const ROLLING = 0.3;
const SESSION = 2;
const PERCENT = 100;

function termsOf(view: View): Record<string, number> {
  return {
    burst: BURST * PERCENT * (1 - view.fiveHourUsed),
    rolling: ROLLING * PERCENT * (1 - view.weekUsed),
    sessions: -SESSION * view.heads.active,
  };
}

export const SCORED: Policy = {
  name: "scored",
  pricesChildren: false,
  inFlightMax: learnedMax,
  keeps() {
    return true;
  },
  costs(views) {
    return costsOf(views, (view) => {
      const terms = termsOf(view);
      const total = Object.values(terms).reduce((sum, term) => sum - term, 0);
      return { total, terms };
    });
  },
  choose: cheapest,
};
