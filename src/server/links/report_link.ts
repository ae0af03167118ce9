/**
 * Reports of the ledger and the history of windows, asked by the worker and
 * drawn by the main thread: over months they take longer than an answer may
 * wait.
 *
 * @module
 */

import type { QuotaView } from "../../control/history/quota_view.ts";
import type { ReportView } from "../../control/history/report_view.ts";
import type { ReportQuestion } from "../../control/report_query.ts";
import { Zone } from "../../core/calendar.ts";
import type { PlanAccount } from "../../core/plans.ts";
import type { Habit } from "../../core/quota/habit.ts";
import { reasonOf, TcError } from "../../errors.ts";
import type { TurnsView } from "../../control/history/turns_view.ts";
import { sessionTurns } from "../../records/session_turns.ts";
import { quotaHistory } from "../../records/quota_history.ts";
import {
  lastSince,
  spendReport,
  SpendSources,
} from "../../records/spend_report.ts";
import { databasePath, openDatabase } from "../../store/ledger/database.ts";
import { THIS_MACHINE } from "../../store/ledger/ledger_report.ts";
import { usualWeek } from "../../records/usual_week.ts";
import { systemClock, systemZone } from "../../system/clock.ts";
import { PendingCalls } from "./pending_calls.ts";

/** What the main thread draws. */
export type DrawQuestion =
  | {
    readonly kind: "report";
    readonly question: ReportQuestion;
    /** The accounts of now, whose plans are compared. */
    readonly accounts: readonly PlanAccount[];
  }
  | { readonly kind: "quota"; readonly days: number }
  | { readonly kind: "habit" }
  | {
    readonly kind: "turns";
    readonly session: string;
    readonly days: number;
  };

export type ReportAnswer =
  | { readonly kind: "report"; readonly view: ReportView }
  | { readonly kind: "quota"; readonly view: QuotaView }
  | { readonly kind: "habit"; readonly habit: Habit | null }
  | { readonly kind: "turns"; readonly view: TurnsView }
  | { readonly kind: "failed"; readonly message: string };

/** The worker stops waiting for a report after this time. */
const ANSWER_MS_MAX = 30_000;

interface ReportPlaces {
  readonly stateFolder: string;
  readonly pricesAsOf: string;
  /** Whether to add what was read from the client's transcripts. */
  readonly hasTranscripts: boolean;
  /** What a token read from the cache weighs in the quota. */
  readonly cacheReadWeight: number;
}

/** Draws the report in the main thread. Never throws. */
export function answerReport(
  asked: DrawQuestion,
  places: ReportPlaces,
): ReportAnswer {
  try {
    if (asked.kind === "report") {
      return { kind: "report", view: draw(asked, places) };
    }
    if (asked.kind === "habit") return { kind: "habit", habit: habit(places) };
    const { stateFolder } = places;
    const database = openDatabase(databasePath(stateFolder), "read_only");
    try {
      const nowMs = systemClock.now();
      if (asked.kind === "turns") {
        return { kind: "turns", view: sessionTurns(database, asked, nowMs) };
      }
      const view = quotaHistory(database, asked.days, nowMs);
      return { kind: "quota", view };
    } finally {
      database.close();
    }
  } catch (cause) {
    return { kind: "failed", message: reasonOf(cause) };
  }
}

function draw(
  { question, accounts }: DrawQuestion & { readonly kind: "report" },
  { stateFolder, pricesAsOf, hasTranscripts }: ReportPlaces,
): ReportView {
  const { by, days, project, session, machine, split } = question;
  const zone = new Zone(question.zone);
  const nowMs = systemClock.now();
  const fromMs = lastSince("day", days, { untilMs: nowMs, zone });
  const span = { fromMs, untilMs: nowMs };
  const filter = {
    ...project === null ? {} : { project },
    ...session === null ? {} : { session },
    ...machine === null
      ? {}
      : { machine: machine === "this" ? THIS_MACHINE : machine },
  };
  const query = {
    by,
    nowMs,
    span,
    zone,
    pricesAsOf,
    accounts,
    filter,
    ...split === null ? {} : { split },
  };
  using sources = new SpendSources(stateFolder, { hasTranscripts });
  return spendReport(sources, query, new Map());
}

function habit(
  { stateFolder, hasTranscripts, cacheReadWeight }: ReportPlaces,
): Habit | null {
  try {
    using sources = new SpendSources(stateFolder, { hasTranscripts });
    const now = systemClock.now();
    return usualWeek(sources, { now, zone: systemZone(), cacheReadWeight });
  } catch (cause) {
    // Nothing was used yet.
    if (cause instanceof TcError && cause.code === "no_state") return null;
    throw cause;
  }
}

/** The side of the worker: it asks by `post` and gets its answers by `take`. */
export class ReportAsker {
  readonly #post: (id: number, asked: DrawQuestion) => void;
  readonly #calls = new PendingCalls<ReportAnswer>(ANSWER_MS_MAX, {
    kind: "failed",
    message: "Cannot draw the report: it takes too long",
  });

  constructor(post: (id: number, asked: DrawQuestion) => void) {
    this.#post = post;
  }

  /**
   * Returns the report, with the plans of `accounts`. Throws TcError if it
   * cannot be drawn.
   */
  async report(
    question: ReportQuestion,
    accounts: readonly PlanAccount[],
  ): Promise<ReportView> {
    const answer = await this.#ask({ kind: "report", question, accounts });
    if (answer.kind === "report") return answer.view;
    throw undrawn(answer);
  }

  /** Returns a session's requests. Throws TcError if they cannot be read. */
  async turns(session: string, days: number): Promise<TurnsView> {
    const answer = await this.#ask({ kind: "turns", session, days });
    if (answer.kind === "turns") return answer.view;
    throw undrawn(answer);
  }

  /** Returns the history of windows. Throws TcError if it cannot be drawn. */
  async quota(days: number): Promise<QuotaView> {
    const answer = await this.#ask({ kind: "quota", days });
    if (answer.kind === "quota") return answer.view;
    throw undrawn(answer);
  }

  /** Returns the person's usual week, or null. Throws TcError. */
  async habit(): Promise<Habit | null> {
    const answer = await this.#ask({ kind: "habit" });
    if (answer.kind === "habit") return answer.habit;
    throw undrawn(answer);
  }

  take(id: number, answer: ReportAnswer): void {
    this.#calls.take(id, answer);
  }

  #ask(asked: DrawQuestion): Promise<ReportAnswer> {
    return this.#calls.ask((id) => this.#post(id, asked));
  }
}

function undrawn(answer: ReportAnswer): TcError {
  const message = answer.kind === "failed"
    ? answer.message
    : "Cannot draw it: the answer is of another kind";
  return new TcError(message, { code: "no_report", source: "user" });
}
