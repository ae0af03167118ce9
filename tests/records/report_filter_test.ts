/** spendReport() of one project or one session, from both sources. */

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import {
  REPORT_KINDS,
  type ReportKind,
  type ReportView,
} from "../../src/control/history/report_view.ts";
import { Zone } from "../../src/core/calendar.ts";
import { PLAIN_TERMS } from "../../src/core/pricing.ts";
import { TranscriptAnswers } from "../../src/core/transcript.ts";
import { UsageError } from "../../src/errors.ts";
import type { ReportFilter } from "../../src/records/report_filter.ts";
import {
  BREAKDOWN_KINDS,
  spendReport,
} from "../../src/records/spend_report.ts";
import {
  HistoryStore,
  openHistory,
} from "../../src/store/history/history_store.ts";
import { openDatabase } from "../../src/store/ledger/database.ts";
import { Ledger } from "../../src/store/ledger/ledger.ts";
import { at, ledgerEntry } from "../fixtures/ledger_rows.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const NOW_MS = at("2026-11-22T20:00:00Z");

/** Session, repository, and the model, of each answer through tc. */
const ROWS = [
  ["5f2c-a", "/src/tc", "claude-opus-5-5"],
  ["5f2c-a", "/src/tc", "claude-haiku-4-5"],
  ["5f2c-b", "/src/tc/docs", "claude-opus-5-5"],
  ["77aa-c", "/other/tc", "claude-opus-5-5"],
  ["77aa-d", "/src/site", "claude-opus-5-5"],
  ["88bb-e", null, "claude-opus-5-5"],
] as const;

type Ask = (by: ReportKind, filter: ReportFilter) => ReportView;

async function withReports(run: (ask: Ask) => void): Promise<void> {
  await using folder = new TempFolder();
  const ledger = openDatabase(folder.join("state.db"), "read_write");
  const history = openHistory(folder.join("transcripts.db"), "read_write");
  try {
    new Ledger(ledger).write(
      ROWS.map(([session, project, model], index) =>
        ledgerEntry({
          endedAt: at(`2026-11-22T1${index}:20:00Z`),
          session,
          project,
          modelAsked: model,
          modelAnswered: model,
        })
      ),
    );
    const answers = new TranscriptAnswers();
    // One past tc, and one from before it.
    for (const iso of ["2026-11-22T18:00:00Z", "2026-11-20T10:00:00Z"]) {
      answers.add({
        messageId: `m${iso}`,
        requestId: "",
        at: at(iso),
        startedAt: at(iso) - 1_000,
        session: "5f2c-a",
        agent: null,
        project: "/src/tc",
        model: "claude-opus-5-5",
        usage: {
          input: 1,
          cacheRead: 2,
          cacheWrite5m: 3,
          cacheWrite1h: 4,
          output: 5,
        },
        terms: PLAIN_TERMS,
        isSidechain: false,
        hasSpeed: false,
        isPrompt: true,
        isCompacted: false,
        path: "/t/a.jsonl",
      });
    }
    new HistoryStore(history, () => 5).write(answers, []);
    run((by, filter) =>
      spendReport({ ledger, history }, {
        by,
        nowMs: NOW_MS,
        span: { fromMs: at("2026-11-19T00:00:00Z"), untilMs: NOW_MS },
        zone: new Zone("UTC"),
        pricesAsOf: "2026-11-29",
        hasModels: BREAKDOWN_KINDS.some((kind) => kind === by),
        accounts: [],
        filter,
      }, new Map())
    );
  } finally {
    ledger.close();
    history.close();
  }
}

Deno.test("a filter holds in every kind of report, in the models of its rows, and in both sources", async () => {
  await withReports((ask) => {
    for (const by of REPORT_KINDS) {
      const count = (filter: ReportFilter) => {
        const { total, rows } = ask(by, filter);
        for (const row of rows.filter(({ models }) => models !== undefined)) {
          const parts = (row.models ?? []).reduce((n, m) => n + m.requests, 0);
          strictEqual(parts, row.requests, `${by} ${row.key}`);
        }
        return total.requests;
      };
      strictEqual(count({}), 8, by);
      strictEqual(count({ project: "tc" }), 5, `${by}: two folders of a name`);
      strictEqual(count({ project: "/src/tc" }), 5, `${by}: and what is below`);
      strictEqual(count({ project: "site" }), 1, by);
      strictEqual(count({ session: "5f2c-a" }), 4, by);
      strictEqual(count({ session: "77aa-d" }), 1, by);
      strictEqual(count({ session: "5f2c-b", project: "/src/tc" }), 1, by);
      strictEqual(count({ machine: "this machine", project: "tc" }), 5, by);
    }
  });
});

Deno.test("a session is named by its beginning, and the report says the whole of it", async () => {
  await withReports((ask) => {
    const { only, plans } = ask("model", { session: "88" });
    deepStrictEqual(only, { project: null, session: "88bb-e", machine: null });
    strictEqual(plans, null, "what plans cost is not the session's");
    strictEqual(ask("model", {}).only, null);
  });
});

Deno.test("what nothing is of, and what is not one session, is refused with what there is", async () => {
  await withReports((ask) => {
    const refused = (filter: ReportFilter, message: RegExp, hint: RegExp) =>
      throws(
        () => ask("day", filter),
        (cause) =>
          cause instanceof UsageError && message.test(cause.message) &&
          hint.test(String(cause.hint)),
      );
    refused(
      { project: "nix" },
      /the project nix: nothing/,
      /: tc, .*site|site/,
    );
    refused({ session: "5f2c" }, /5f2c: 2 sessions begin so/, /5f2c-a, 5f2c-b/);
    refused({ session: "99" }, /99: nothing in that time/, /tc report session/);
  });
});

Deno.test("the running block of this machine alone has its rate", async () => {
  await withReports((ask) => {
    const { block } = ask("block", { machine: "this machine" });
    strictEqual(block?.burnRate === null, false);
    strictEqual(ask("block", { project: "site" }).block, null);
  });
});
