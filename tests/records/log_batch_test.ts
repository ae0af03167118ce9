import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import {
  LogBatch,
  type LogLines,
  type LogRecord,
} from "../../src/records/log/journal.ts";
import type { LogLevel } from "../../src/ports.ts";
import { NOW } from "../fixtures/pool.ts";
import { until } from "../fixtures/upstream_client.ts";

function record(event: string, level: LogLevel = "info"): LogRecord {
  return { at: NOW, level, event, fields: {} };
}

/** Returns the names of the events in a batch of lines. */
function events({ text }: LogLines): string[] {
  return text.trimEnd().split("\n").map((line) => line.split(/ +/)[2] ?? "");
}

Deno.test("LogBatch sends lines in batches, faults at once, none twice", async () => {
  const posted: string[][] = [];
  const batch = new LogBatch((lines) => {
    const names = events(lines);
    strictEqual(names.length, lines.count);
    posted.push(names);
  });
  batch.add(record("a"));
  batch.add(record("b"));
  deepStrictEqual(posted, []);
  batch.add(record("c", "warn"));
  deepStrictEqual(posted, [["a", "b", "c"]]);
  batch.add(record("d"));
  await until(() => posted.length === 2);
  deepStrictEqual(posted.slice(1), [["d"]]);
  batch.flush();
  batch.add(record("e"));
  batch.flush();
  deepStrictEqual(posted.slice(2), [["e"]]);
});

Deno.test("LogBatch sends faults whole beside their lines", () => {
  const posted: LogLines[] = [];
  const batch = new LogBatch((lines) => posted.push(lines));
  const fault = record("fault", "error");
  batch.add(record("request"));
  batch.add(fault);
  deepStrictEqual(posted.map(({ count, faults }) => [count, faults]), [
    [2, [fault]],
  ]);
});

Deno.test("LogBatch writes lines in the form that the log's target takes", () => {
  const posted: LogLines[] = [];
  const batch = new LogBatch((lines) => posted.push(lines));
  const line = {
    ...record("request"),
    fields: { path: "a b", ms: 3, why: null },
  };
  batch.use("journald");
  batch.add(line);
  batch.flush();
  strictEqual(posted[0]?.text, '<6>request path="a b" ms=3\n');
  batch.use("logfmt");
  batch.add(line);
  batch.flush();
  match(posted[1]?.text ?? "", /^\S+Z info {2}request {2}path="a b" ms=3\n$/);
  batch.use("none");
  batch.add(line);
  batch.flush();
  strictEqual(posted.length, 2);
});
