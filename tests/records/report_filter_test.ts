/** spendReport() of one project or one session, from both sources. */

import type { DatabaseSync } from "node:sqlite";
import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import {
  REPORT_KINDS,
  type ReportKind,
  type ReportPartView,
  type ReportView,
  SPLITS,
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
import { sessionTurns } from "../../src/records/session_turns.ts";
import { readTurns } from "../../src/store/ledger/session_turns.ts";
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

interface Databases {
  readonly ledger: DatabaseSync;
  readonly history: DatabaseSync;
}

async function withReports(
  run: (ask: Ask, databases: Databases) => void,
): Promise<void> {
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
    const ask: Ask = (by, filter) =>
      spendReport({ ledger, history }, {
        by,
        nowMs: NOW_MS,
        span: { fromMs: at("2026-11-19T00:00:00Z"), untilMs: NOW_MS },
        zone: new Zone("UTC"),
        pricesAsOf: "2026-11-29",
        hasModels: BREAKDOWN_KINDS.some((kind) => kind === by),
        accounts: [],
        filter,
      }, new Map());
    run(ask, { ledger, history });
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

Deno.test("the parts of a day by model, account or project add up to it", async () => {
  await withReports((_, { ledger, history }) => {
    for (const split of SPLITS) {
      const { rows } = spendReport({ ledger, history }, {
        by: "day",
        nowMs: NOW_MS,
        span: { fromMs: at("2026-11-19T00:00:00Z"), untilMs: NOW_MS },
        zone: new Zone("UTC"),
        pricesAsOf: "2026-11-29",
        split,
      }, new Map());
      strictEqual(rows.length, 2);
      for (const { parts = [], costUsd, ...row } of rows) {
        const sum = (of: (part: ReportPartView) => number) =>
          parts.reduce((all, part) => all + of(part), 0);
        const tokens = row.input + row.cacheRead + row.cacheWrite5m +
          row.cacheWrite1h + row.output;
        strictEqual(sum((part) => part.tokens), tokens, split);
        strictEqual(
          sum((part) => part.costUsd ?? 0).toFixed(12),
          costUsd?.toFixed(12),
          split,
        );
      }
      const [before, day] = rows;
      // The account of what did not go through tc is not known.
      if (split === "account") strictEqual(before?.parts?.[0]?.key, null);
      if (split !== "project") continue;
      deepStrictEqual(
        day?.parts?.map(({ key, label }) => [key, label]).toSorted(),
        [
          [null, null],
          ["/other/tc", "tc"],
          ["/src/site", "site"],
          ["/src/tc", "tc"],
          ["/src/tc/docs", "docs"],
        ],
      );
    }
  });
});

Deno.test("a session opens into its requests, oldest first, the latest of many", async () => {
  await withReports((_, { ledger }) => {
    const { count, turns } = sessionTurns(
      ledger,
      { session: "5f2c-a", days: 14 },
      NOW_MS,
    );
    strictEqual(count, 2);
    deepStrictEqual(
      turns.map(({ at, model, account, status, output, costUsd }) => [
        at.iso.slice(11, 16),
        model,
        account,
        status,
        output,
        costUsd,
      ]),
      [
        ["10:19", "claude-opus-5-5", "work", 200, 50, 0.000001],
        ["11:19", "claude-haiku-4-5", "work", 200, 50, 0.000001],
      ],
    );
    const none = sessionTurns(ledger, { session: "5f2c", days: 14 }, NOW_MS);
    deepStrictEqual([none.count, none.turns], [0, []], "a whole id is needed");
    const one = readTurns(ledger, { session: "5f2c-a", fromMs: 0, most: 1 });
    deepStrictEqual(one.turns.map(({ model }) => model), ["claude-haiku-4-5"]);
    strictEqual(one.count, 2);
  });
});
