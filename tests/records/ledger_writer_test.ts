/** LedgerWriter: batches, and a database that fails, comes back or is damaged. */

import { LIST_BOOK } from "../fixtures/list_book.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { LedgerWriter } from "../../src/records/ledger_writer.ts";
import { StateDatabase } from "../../src/records/state_database.ts";
import { NO_USAGE } from "../../src/core/usage.ts";
import type { LogFields, LogLevel } from "../../src/ports.ts";
import { openDatabase } from "../../src/store/ledger/database.ts";
import { ManualClock } from "../fixtures/manual_clock.ts";
import { requestRecord } from "../fixtures/ledger_rows.ts";
import { account, poolOf } from "../fixtures/pool.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { MANUAL_SHELL } from "../../src/shell_words.ts";

interface Bench {
  readonly writer: LedgerWriter;
  readonly state: StateDatabase;
  readonly clock: ManualClock;
  readonly log: (readonly [LogLevel, string, LogFields])[];
}

function benchAt(path: string): Bench {
  const clock = new ManualClock();
  const log: Bench["log"] = [];
  const journal = {
    log: (level: LogLevel, event: string, fields: LogFields) => {
      log.push([level, event, fields]);
    },
  };
  const state = new StateDatabase({
    path,
    writer: "test",
    clock,
    journal,
    person: MANUAL_SHELL,
  });
  const pool = poolOf([{ account: account("work") }]);
  const writer = new LedgerWriter({
    state,
    clock,
    journal,
    poolState: () => pool,
    bounds: { days: 30, bytesMax: 1e9 },
    hasProjects: true,
    prices: LIST_BOOK,
  });
  return { writer, state, clock, log };
}

function rows(path: string): number {
  const database = openDatabase(path, "read_only");
  const row = database.prepare("SELECT count(*) AS n FROM requests").get();
  database.close();
  return Number(row?.["n"]);
}

Deno.test("close() writes what waits, and the pool", async () => {
  await using folder = new TempFolder();
  const path = folder.join("state.db");
  const { writer, log } = benchAt(path);
  writer.serves();
  writer.finished(requestRecord());
  writer.finished(requestRecord());
  writer.close();
  strictEqual(rows(path), 2);
  deepStrictEqual(log, []);
  const again = benchAt(path);
  ok(again.writer.readMemory() !== null);
  strictEqual(again.writer.recent(1e15).length, 2);
  again.writer.close();
});

Deno.test("a damaged database is set aside and reported, and a new one begins", async () => {
  await using folder = new TempFolder();
  const path = folder.join("state.db");
  await Deno.writeTextFile(path, "rubbish ".repeat(1_000));
  const { writer, state, log } = benchAt(path);
  writer.finished(requestRecord());
  writer.close();
  strictEqual(rows(path), 1);
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder.path)) names.push(name);
  const aside = names.find((name) => name.includes("damaged"));
  ok(state.fault?.includes(String(aside)));
  strictEqual(log[0]?.[0], "error");
  ok(String(log[0]?.[2]["setAside"]).endsWith(String(aside)));
});

Deno.test("a database damaged while it is open is set aside as well", async () => {
  await using folder = new TempFolder();
  const path = folder.join("state.db");
  const { writer, state } = benchAt(path);
  writer.finished(requestRecord());
  ok(writer.flush());
  state.attempt(({ database }) => database.exec("DROP TABLE quarters"));
  writer.finished(requestRecord());
  writer.flush();
  ok(writer.flush());
  writer.close();
  strictEqual(rows(path), 1);
  ok(state.fault?.includes("damaged"));
});

Deno.test("without a writable folder requests wait, and are written later", async () => {
  await using folder = new TempFolder();
  const blocked = folder.join("blocked");
  await Deno.writeTextFile(blocked, "a file where the folder should be");
  const path = `${blocked}/state.db`;
  const { writer, state, clock, log } = benchAt(path);
  writer.finished(requestRecord());
  strictEqual(writer.flush(), false);
  strictEqual(writer.flush(), false);
  strictEqual(log.length, 1);
  ok(state.fault !== null);
  await Deno.remove(blocked);
  await clock.advance(31_000);
  ok(writer.flush());
  strictEqual(state.fault, null);
  writer.close();
  strictEqual(rows(path), 1);
});

Deno.test("too many waiting requests are dropped, oldest first, and counted", async () => {
  await using folder = new TempFolder();
  const blocked = folder.join("blocked");
  await Deno.writeTextFile(blocked, "");
  const { writer, log } = benchAt(`${blocked}/state.db`);
  for (let i = 0; i < 10_003; i++) writer.finished(requestRecord());
  strictEqual(writer.dropped, 3);
  writer.close();
  ok(log.some(([, event, { lost }]) => event === "ledger" && lost === 10_000));
});

Deno.test("a server that never listened does not stop another from saving", async () => {
  await using folder = new TempFolder();
  const path = folder.join("state.db");
  const first = benchAt(path);
  first.writer.serves();
  const second = benchAt(path);
  second.writer.readMemory();
  second.writer.close();
  first.writer.close();
  const third = benchAt(path);
  ok(third.writer.readMemory() !== null);
  third.writer.close();
});

Deno.test("a row that cannot be stored does not affect the others", async () => {
  await using folder = new TempFolder();
  const path = folder.join("state.db");
  const { writer, log } = benchAt(path);
  const huge = Number.MAX_SAFE_INTEGER;
  writer.finished(requestRecord());
  writer.finished(requestRecord({
    modelAnswered: "claude-opus-5-5",
    usage: { ...NO_USAGE, input: huge, output: huge },
  }));
  writer.finished(requestRecord());
  writer.flush();
  writer.finished(requestRecord());
  writer.close();
  strictEqual(rows(path), 3);
  strictEqual(writer.dropped, 1);
  ok(log.some(([level, event]) => level === "error" && event === "ledger"));
});
