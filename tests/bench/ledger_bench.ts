/**
 * The ledger at a million rows: how long each report takes, and what a batch
 * costs. Run: deno run -A tests/bench/ledger_bench.ts [rows]
 */

import { byPeriod } from "../../src/control/history/report_view.ts";
import { Zone } from "../../src/core/calendar.ts";
import { DAY_MS, instantFromMs } from "../../src/core/time.ts";
import { openDatabase } from "../../src/store/ledger/database.ts";
import { Ledger } from "../../src/store/ledger/ledger.ts";
import { usedBytes } from "../../src/store/ledger/ledger_prune.ts";
import { recentRequests } from "../../src/store/ledger/ledger_history.ts";
import { spendBy, spendByTime } from "../../src/store/ledger/ledger_report.ts";
import { ledgerEntry } from "../fixtures/ledger_rows.ts";
import { accountId, NOW } from "../fixtures/pool.ts";

const ROWS = Number(Deno.args[0] ?? 1_000_000);
const DAYS = 90;
const BATCH = 200;
/** Requests of one session, one after the other, as agents send them. */
const PER_SESSION = 120;
const STEP_MS = DAYS * DAY_MS / ROWS;

/** Ten sessions interleave; each asks about once a minute and a quarter. */
function entry(index: number): ReturnType<typeof ledgerEntry> {
  const lane = index % 10;
  const session = `s-${lane}-${Math.floor(index / 10 / PER_SESSION)}`;
  const account = accountId(["work", "home", "spare"][lane % 3] ?? "work");
  const model = lane % 4 === 0 ? "claude-sonnet-5-5" : "claude-opus-5-5";
  return ledgerEntry({
    endedAt: instantFromMs(
      Math.round(NOW - DAYS * DAY_MS + index * STEP_MS),
    ),
    session,
    accountId: account,
    modelAsked: model,
    modelAnswered: model,
  });
}

function timed(name: string, work: () => unknown): void {
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    work();
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  say(
    `${name}: median ${times[2]?.toFixed(1)} ms, worst ${
      times[4]?.toFixed(1)
    } ms`,
  );
}

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

const folder = Deno.makeTempDirSync({ prefix: "tc-bench-" });
try {
  const database = openDatabase(`${folder}/state.db`, "read_write");
  const ledger = new Ledger(database);
  let writeMs = 0;
  for (let first = 0; first < ROWS; first += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, i) => entry(first + i));
    const start = performance.now();
    ledger.write(batch);
    writeMs += performance.now() - start;
  }
  say(`${ROWS} rows written, ${(writeMs / ROWS * 1_000).toFixed(1)} µs each`);
  say(`${(usedBytes(database) / 1e6).toFixed(0)} MB`);
  const quarters = database.prepare("SELECT count(*) AS n FROM quarters").get();
  say(`${quarters?.["n"]} rows of sums`);
  const reader = openDatabase(`${folder}/state.db`, "read_only");
  const span = { fromMs: NOW - DAYS * DAY_MS, untilMs: NOW };
  for (const unit of ["day", "week", "month"] as const) {
    timed(
      `report ${unit}`,
      () =>
        byPeriod(spendByTime(reader, span), unit, new Zone("Europe/Berlin")),
    );
  }
  for (const key of ["session", "model", "account"] as const) {
    timed(`report ${key}`, () => spendBy(reader, key, span));
  }
  timed("last hour", () => recentRequests(reader, NOW - 3_600_000));
  reader.close();
  database.close();
} finally {
  Deno.removeSync(folder, { recursive: true });
}
