/** The history of windows: written, read in steps, taken over, removed. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { after, DAY_MS, MINUTE_MS } from "../../src/core/time.ts";
import { quotaCurve } from "../../src/control/history/quota_view.ts";
import { quotaHistory } from "../../src/records/quota_history.ts";
import { MIGRATIONS, openDatabase } from "../../src/store/ledger/database.ts";
import {
  noteWindows,
  pruneWindows,
  readMoves,
  readWindows,
} from "../../src/store/ledger/window_history.ts";
import { NOW } from "../fixtures/pool.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

function sample(utilization: number, resetsAt: number | null = null) {
  return { account: "a", window: "5h", utilization, resetsAt };
}

Deno.test("readWindows() keeps the last figure of a step and the peak of several", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  const minutes = (count: number) => after(NOW, count * MINUTE_MS);
  noteWindows(database, [sample(0.5)], NOW);
  noteWindows(database, [sample(0.6)], minutes(1));
  noteWindows(database, [sample(0.9)], minutes(6));
  noteWindows(database, [sample(0.1)], minutes(11));
  const read = (stepMs: number) =>
    readWindows(database, { fromMs: NOW, stepMs })
      .map(({ utilization }) => utilization);
  deepStrictEqual(read(5 * MINUTE_MS), [0.6, 0.9, 0.1]);
  deepStrictEqual(read(DAY_MS), [0.9]);
  pruneWindows(database, after(NOW, 60 * DAY_MS + 6 * MINUTE_MS));
  deepStrictEqual(read(5 * MINUTE_MS), [0.9, 0.1]);
  database.close();
});

Deno.test("quotaHistory() says what of ended windows expired unused", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  const hours = (count: number) => after(NOW, count * 60 * MINUTE_MS);
  noteWindows(database, [sample(0.4, hours(5))], hours(1));
  noteWindows(database, [sample(0.8, hours(5))], hours(4));
  noteWindows(database, [sample(0.6, hours(10))], hours(7));
  noteWindows(database, [sample(0.2, hours(15))], hours(11));
  const view = quotaHistory(database, 1, hours(12));
  const curve = view.accounts[0]?.curves[0];
  strictEqual(curve?.ended, 2);
  strictEqual(curve?.unused?.toFixed(3), "0.300");
  strictEqual(curve?.points.length, 4);
  // A reset that moves on with each figure is no end of a window.
  const moving = Array.from(
    { length: 6 },
    (_, hour) => [hours(hour), 0.5, hours(hour + 2)] as const,
  );
  strictEqual(quotaCurve("5h", moving, hours(6)).ended, 0);
  database.close();
});

Deno.test("a ledger from before keeps its sums and gives its figures to the history", async () => {
  await using folder = new TempFolder();
  const path = folder.join("state.db");
  const old = new DatabaseSync(path);
  old.exec("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL");
  for (const step of MIGRATIONS.slice(0, 3)) old.exec(step);
  old.exec("PRAGMA user_version = 3");
  old.exec(
    `INSERT INTO names (id, text, seen_at) VALUES (1, 'a', 0), (2, 'x', 0);
    INSERT INTO quarters (quarter, session, account, model, requests, failed,
      input, cache_read, cache_write_5m, cache_write_1h, output, cost_nano,
      unpriced, cold_rebuilds, switches, switch_rebuild, waited_ms)
      VALUES (2000000, 0, 1, 2, 7, 0, 1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0);`,
  );
  const put = old.prepare(
    `INSERT INTO requests (id, started_at, ended_at, method, path, is_stream,
       is_prompt, is_side, is_compaction, is_compacted, account, reason,
       moved_from, policy, status, waited_ms, duration_ms, ended, spent_5h)
     VALUES (?, ?, ?, 2, 2, 1, 1, 0, 0, 0, 1, 2, ?, 2, 200, 0, 1, 2, ?)`,
  );
  put.run("r1", NOW, NOW, null, 0.25);
  put.run("r2", NOW, NOW + 1_000, 2, 0.5);
  old.close();
  const database = openDatabase(path, "read_write");
  deepStrictEqual(
    readWindows(database, { fromMs: NOW, stepMs: 1 }).map((one) => [
      one.account,
      one.window,
      one.utilization,
    ]),
    [["a", "5h", 0.5]],
  );
  deepStrictEqual(
    readMoves(database, NOW).map(({ at, account, movedFrom }) => [
      at,
      account,
      movedFrom,
    ]),
    [[NOW + 1_000, "a", "x"]],
  );
  const sums = database.prepare("SELECT requests, project FROM quarters").get();
  deepStrictEqual({ ...sums }, { requests: 7, project: 0 });
  database.close();
});
