/**
 * Opens a session of a report into its requests, for the page.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import type { TurnsView } from "../control/history/turns_view.ts";
import { timeView } from "../control/status_view.ts";
import { DAY_MS } from "../core/time.ts";
import { readTurns } from "../store/ledger/session_turns.ts";
import { readLabels } from "../store/ledger/pool_store.ts";

/** Requests in one answer; the latest are kept. */
const TURNS_MAX = 500;

const NANODOLLARS = 1_000_000_000;

/** Returns the requests of a session, by its whole id, in the last days. */
export function sessionTurns(
  ledger: DatabaseSync,
  { session, days }: { readonly session: string; readonly days: number },
  nowMs: number,
): TurnsView {
  const fromMs = nowMs - days * DAY_MS;
  const labels = readLabels(ledger);
  const labelOf = (id: string | null) => id === null ? null : labels[id] ?? id;
  const { count, turns } = readTurns(ledger, {
    session,
    fromMs,
    most: TURNS_MAX,
  });
  return {
    schema: "tc.turns/v1",
    at: timeView(nowMs),
    session,
    since: timeView(fromMs),
    count,
    turns: turns.map((
      { startedAt, account, movedFrom, costNano, ...turn },
    ) => ({
      ...turn,
      at: timeView(startedAt),
      account: labelOf(account),
      movedFrom: labelOf(movedFrom),
      costUsd: costNano === null ? null : costNano / NANODOLLARS,
    })),
  };
}
