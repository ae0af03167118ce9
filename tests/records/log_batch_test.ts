import { deepStrictEqual } from "node:assert/strict";
import { LogBatch, type LogRecord } from "../../src/records/log/journal.ts";
import type { LogLevel } from "../../src/ports.ts";
import { NOW } from "../fixtures/pool.ts";

function record(event: string, level: LogLevel = "info"): LogRecord {
  return { at: NOW, level, event, fields: {} };
}

Deno.test("LogBatch sends lines in batches, faults at once, none twice", async () => {
  const posted: string[][] = [];
  const batch = new LogBatch((records) =>
    posted.push(records.map(({ event }) => event))
  );
  batch.add(record("a"));
  batch.add(record("b"));
  deepStrictEqual(posted, []);
  batch.add(record("c", "warn"));
  deepStrictEqual(posted, [["a", "b", "c"]]);
  batch.add(record("d"));
  await new Promise((resolve) => setTimeout(resolve, 200));
  deepStrictEqual(posted.slice(1), [["d"]]);
  batch.flush();
  batch.add(record("e"));
  batch.flush();
  deepStrictEqual(posted.slice(2), [["e"]]);
});
