/**
 * Reports of the ledger, asked by the worker and drawn by the main thread: over
 * months a report reads for longer than an answer may wait.
 *
 * @module
 */

import type { ReportView } from "../../control/report_view.ts";
import type { ReportQuestion } from "../../control/routes.ts";
import { Zone } from "../../core/calendar.ts";
import { reasonOf, TcError } from "../../errors.ts";
import { lastSince, spendReport } from "../../records/spend_report.ts";
import { databasePath, openDatabase } from "../../store/ledger/database.ts";
import { systemClock } from "../../system/clock.ts";
import { PendingCalls } from "./pending_calls.ts";

export type ReportAnswer =
  | { readonly kind: "drawn"; readonly view: ReportView }
  | { readonly kind: "failed"; readonly message: string };

/** The worker stops waiting for a report after this time. */
const ANSWER_MS_MAX = 30_000;

/** Draws the report in the main thread. Never throws. */
export function answerReport(
  { by, days, zone: name }: ReportQuestion,
  { stateFolder, pricesAsOf }: {
    readonly stateFolder: string;
    readonly pricesAsOf: string;
  },
): ReportAnswer {
  try {
    const zone = new Zone(name);
    const nowMs = systemClock.now();
    const fromMs = lastSince("day", days, { untilMs: nowMs, zone });
    const span = { fromMs, untilMs: nowMs };
    const database = openDatabase(databasePath(stateFolder), "read_only");
    try {
      const query = { by, nowMs, span, zone, pricesAsOf };
      const view = spendReport(database, query, new Map());
      return { kind: "drawn", view };
    } finally {
      database.close();
    }
  } catch (cause) {
    return { kind: "failed", message: reasonOf(cause) };
  }
}

/** The side of the worker: it asks by `post` and gets its answers by `take`. */
export class ReportAsker {
  readonly #post: (id: number, question: ReportQuestion) => void;
  readonly #calls = new PendingCalls<ReportAnswer>(ANSWER_MS_MAX, {
    kind: "failed",
    message: "Cannot draw the report: it takes too long",
  });

  constructor(post: (id: number, question: ReportQuestion) => void) {
    this.#post = post;
  }

  /** Returns the report. Throws TcError if it cannot be drawn. */
  async report(question: ReportQuestion): Promise<ReportView> {
    const answer = await this.#calls.ask((id) => this.#post(id, question));
    if (answer.kind === "drawn") return answer.view;
    throw new TcError(answer.message, { code: "no_report", source: "user" });
  }

  take(id: number, answer: ReportAnswer): void {
    this.#calls.take(id, answer);
  }
}
