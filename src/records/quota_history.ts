/**
 * Draws the history of the windows from the state database, for the page.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import {
  quotaCurve,
  quotaMove,
  type QuotaPoint,
  type QuotaView,
} from "../control/history/quota_view.ts";
import { timeView } from "../control/status_view.ts";
import { DAY_MS } from "../core/time.ts";
import { readLabels } from "../store/ledger/pool_store.ts";
import {
  type PastSample,
  readMoves,
  readWindows,
  STEP_MS,
} from "../store/ledger/window_history.ts";

/** Points of one curve at most; more cannot be told apart on a screen. */
const POINTS_MAX = 400;

/** Returns the history of the last `days`. */
export function quotaHistory(
  database: DatabaseSync,
  days: number,
  nowMs: number,
): QuotaView {
  const fromMs = nowMs - days * DAY_MS;
  const steps = Math.ceil(days * DAY_MS / POINTS_MAX / STEP_MS);
  const stepMs = steps * STEP_MS;
  const labels = readLabels(database);
  const labelOf = (id: string) => labels[id] ?? id;
  const order = Object.keys(labels);
  const placeOf = (id: string) =>
    order.includes(id) ? order.indexOf(id) : order.length;
  const samples = readWindows(database, { fromMs, stepMs });
  const accounts = Map.groupBy(samples, ({ account }) => account);
  return {
    schema: "tc.quota/v1",
    at: timeView(nowMs),
    since: timeView(fromMs),
    stepMs,
    accounts: [...accounts].map(([id, own]) => ({
      id,
      label: labelOf(id),
      curves: curvesOf(own, nowMs),
    })).sort((a, b) => placeOf(a.id) - placeOf(b.id)),
    moves: readMoves(database, fromMs).map((move) => quotaMove(move, labelOf)),
  };
}

function curvesOf(
  samples: readonly PastSample[],
  nowMs: number,
): QuotaView["accounts"][number]["curves"] {
  return [...Map.groupBy(samples, ({ window }) => window)].map(
    ([window, own]) => {
      const points = own.map(({ at, utilization, resetsAt }): QuotaPoint => [
        at,
        utilization,
        resetsAt,
      ]);
      return quotaCurve(window, points, nowMs);
    },
  );
}
