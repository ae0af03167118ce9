/** What was read from transcripts: each answer once, kept, and not the ledger's. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { PLAIN_TERMS } from "../../src/core/pricing.ts";
import {
  type TranscriptAnswer,
  TranscriptAnswers,
} from "../../src/core/transcript.ts";
import { addSpend, NO_SPEND, type SpendRow } from "../../src/core/usage.ts";
import { openDatabase } from "../../src/store/ledger/database.ts";
import { Ledger } from "../../src/store/ledger/ledger.ts";
import {
  answersSince,
  historyBy,
  historyByTime,
  lastLook,
} from "../../src/store/history/history_report.ts";
import {
  HistoryStore,
  openHistory,
} from "../../src/store/history/history_store.ts";
import { markThroughTc } from "../../src/store/history/through_tc.ts";
import { at, ledgerEntry } from "../fixtures/ledger_rows.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const ALL = { fromMs: 0, untilMs: Date.UTC(2100, 0) };
const NO_TC = { span: ALL, tcSinceMs: Infinity };

function answer(parts: Partial<TranscriptAnswer> = {}): TranscriptAnswer {
  const time = parts.at ?? at("2026-11-10T12:00:00Z");
  return {
    messageId: "msg_1",
    requestId: "req_1",
    at: time,
    startedAt: time - 2_000,
    session: "s1",
    agent: null,
    project: "/p",
    model: "claude-opus-5-5",
    usage: {
      input: 10,
      cacheRead: 900,
      cacheWrite5m: 0,
      cacheWrite1h: 90,
      output: 50,
    },
    terms: PLAIN_TERMS,
    isSidechain: false,
    hasSpeed: false,
    isPrompt: true,
    isCompacted: false,
    path: "/t/a.jsonl",
    ...parts,
  };
}

function batch(answers: readonly TranscriptAnswer[]): TranscriptAnswers {
  const all = new TranscriptAnswers();
  for (const one of answers) all.add(one);
  return all;
}

function total(rows: readonly SpendRow[]): typeof NO_SPEND {
  return rows.reduce((sum, { spend }) => addSpend(sum, spend), NO_SPEND);
}

Deno.test("however lines come, the sums are those of all lines at once", async () => {
  await using folder = new TempFolder();
  const line = fc.record({
    messageId: fc.constantFrom("m1", "m2", "m3"),
    requestId: fc.constantFrom("r1", "r2", ""),
    output: fc.nat(3),
    at: fc.integer({ min: Date.UTC(2026, 0), max: Date.UTC(2026, 3) }),
    session: fc.constantFrom("s1", "s2"),
    path: fc.constantFrom("/a", "/b"),
  }).map(({ output, ...parts }) =>
    answer({ ...parts, usage: { ...answer().usage, output } })
  );
  let number = 0;
  fc.assert(
    fc.property(fc.array(fc.array(line, { maxLength: 6 })), (batches) => {
      const path = folder.join(`${number++}.db`);
      const database = openHistory(path, "read_write");
      const store = new HistoryStore(database, () => 1);
      for (const lines of batches) store.write(batch(lines), []);
      // Once more: nothing is added.
      for (const lines of batches) store.write(batch(lines), []);
      const once = [...batch(batches.flat())];
      const sum = total(historyByTime(database, NO_TC));
      strictEqual(sum.requests, once.length);
      strictEqual(
        sum.output,
        once.reduce((all, { usage }) => all + usage.output, 0),
      );
      for (const key of ["session", "model", "project", null] as const) {
        deepStrictEqual(total(historyBy(database, key, NO_TC)), sum);
      }
      database.close();
    }),
    { numRuns: 30 },
  );
});

Deno.test("what the ledger has does not count, by its request id or its tokens", async () => {
  await using folder = new TempFolder();
  const ledger = openDatabase(folder.join("state.db"), "read_write");
  const history = openHistory(folder.join("transcripts.db"), "read_write");
  const time = at("2026-11-10T12:00:00Z");
  const old = { ...answer().usage, input: 77 };
  new Ledger(ledger).write([
    ledgerEntry({ session: "s1", endedAt: time, providerId: "req_1" }),
    // An older tc kept no ids.
    ledgerEntry({ session: "s1", endedAt: time, usage: old }),
  ]);
  const store = new HistoryStore(history, () => 5);
  const changed = store.write(
    batch([
      answer({ at: time }),
      answer({ messageId: "m2", requestId: "req_2", at: time, usage: old }),
      answer({ messageId: "m3", requestId: "req_3", at: time }),
      answer({
        messageId: "m4",
        requestId: "req_4",
        at: time - 40 * 86_400_000,
      }),
    ]),
    [],
  );
  strictEqual(changed.size, 2);
  strictEqual(markThroughTc(history, ledger, 0), 2);
  strictEqual(markThroughTc(history, ledger, 0), 0);
  const tcSinceMs = at("2026-11-10T12:00:00Z");
  const rows = historyBy(history, null, { span: ALL, tcSinceMs });
  deepStrictEqual(
    rows.map(({ spend, outside }) => [
      spend.requests,
      spend.costNano,
      Object.keys(outside ?? {}),
    ]),
    [[1, 5, ["not_through_tc"]], [1, 5, ["before_tc"]]],
  );
  deepStrictEqual(
    historyByTime(history, { span: ALL, tcSinceMs })
      .map(({ outside }) => Object.keys(outside ?? {})),
    [["before_tc"], ["not_through_tc"]],
  );
  deepStrictEqual(
    answersSince(history, 0).map(({ requestId }) => requestId),
    ["req_4", "req_3"],
  );
  // A later line of an answer that is the ledger's stays the ledger's.
  const more = { ...answer().usage, output: 60 };
  store.write(batch([answer({ at: time, usage: more })]), []);
  strictEqual(total(historyByTime(history, NO_TC)).requests, 2);
  ledger.close();
  history.close();
});

Deno.test("files, looks and prices are kept, and an unpriced model is no free one", async () => {
  await using folder = new TempFolder();
  const path = folder.join("transcripts.db");
  const database = openHistory(path, "read_write");
  const store = new HistoryStore(database, () => null);
  const file = {
    path: "/t/a.jsonl",
    size: 10,
    writtenAt: 5,
    inode: 3,
    knownBytes: 9,
  };
  strictEqual(lastLook(database), null);
  store.write(batch([answer()]), [file]);
  store.write(batch([]), [{ ...file, knownBytes: 10 }]);
  store.looked(7, false);
  database.close();
  const again = openHistory(path, "read_only");
  deepStrictEqual([...new HistoryStore(again, () => null).files()], [[
    file.path,
    { ...file, knownBytes: 10 },
  ]]);
  deepStrictEqual(lastLook(again), { at: 7, isWhole: false });
  const sum = total(historyByTime(again, NO_TC));
  strictEqual(sum.unpriced, 1);
  strictEqual(sum.costNano, 0);
  again.close();
});
