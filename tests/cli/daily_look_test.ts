/** lookDaily(): keeps transcripts that nobody asked about, once a day. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { lookDaily } from "../../src/cli/report/daily_look.ts";
import { Shell } from "../../src/cli/shell.ts";
import { type Instant, instantFromMs } from "../../src/core/time.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/core/time.ts";
import type { Clock } from "../../src/ports.ts";
import { lastLook } from "../../src/store/history/history_report.ts";
import {
  historyPath,
  openHistory,
} from "../../src/store/history/history_store.ts";
import { cleanVariables } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { writeTranscriptTree } from "../fixtures/transcript_tree.ts";

/** Time passes only in sleeps; it ends a look after `untilMs`. */
class SleepingClock implements Clock {
  #ms = Date.now();
  readonly #startMs = this.#ms;
  readonly waits: number[] = [];
  readonly #ended: () => boolean;

  constructor(ended: (passedMs: number) => boolean) {
    this.#ended = () => ended(this.#ms - this.#startMs);
  }

  now(): Instant {
    return instantFromMs(this.#ms);
  }

  monotonicMs(): number {
    return this.#ms;
  }

  async sleep(ms: number): Promise<void> {
    await Promise.resolve();
    this.waits.push(ms);
    this.#ms += ms;
    if (this.#ended()) throw new Error("it ends");
  }
}

interface Stage extends AsyncDisposable {
  readonly shell: Shell;
  readonly transcripts: string;
  /** How many answers are kept; null: no look was made. */
  answers(): number | null;
}

function stage(more: Readonly<Record<string, string>> = {}): Stage {
  const home = new TempFolder();
  const transcripts = home.join(".claude");
  writeTranscriptTree({ folder: transcripts, bytes: 600_000 });
  const environment = { ...cleanVariables(home.path), ...more };
  const shell = new Shell({ environment, system: Deno.build.os }, {});
  Deno.mkdirSync(shell.paths.stateFolder, { recursive: true });
  return {
    shell,
    transcripts,
    answers: () => {
      let database;
      try {
        database = openHistory(
          historyPath(shell.paths.stateFolder),
          "read_only",
        );
      } catch {
        return null;
      }
      try {
        ok(lastLook(database)?.isWhole);
        const row = database.prepare("SELECT count(*) AS n FROM answers").get();
        return Number(row?.["n"]);
      } finally {
        database.close();
      }
    },
    [Symbol.asyncDispose]: () => home[Symbol.asyncDispose](),
  };
}

async function passed(
  { shell }: Stage,
  ms: number,
  faults: string[] = [],
): Promise<SleepingClock> {
  const clock = new SleepingClock((passedMs) => passedMs >= ms);
  await lookDaily({
    make: () => shell,
    clock,
    failed: (reason) => faults.push(reason),
    signal: new AbortController().signal,
  });
  return clock;
}

Deno.test("a server keeps the transcripts ten minutes after its start, with pauses", async () => {
  await using one = stage();
  await passed(one, 9 * MINUTE_MS);
  strictEqual(one.answers(), null);
  const faults: string[] = [];
  const clock = await passed(one, 2 * HOUR_MS, faults);
  deepStrictEqual(faults, []);
  ok((one.answers() ?? 0) > 20);
  ok(clock.waits.filter((ms) => ms === 25).length >= 3, `${clock.waits}`);
  // The client deletes them: they stay.
  const before = one.answers();
  await Deno.remove(one.transcripts, { recursive: true });
  await passed(one, 26 * HOUR_MS);
  strictEqual(one.answers(), before);
});

Deno.test("it looks again after a day, and not before", async () => {
  await using one = stage();
  await passed(one, HOUR_MS);
  const before = one.answers() ?? 0;
  writeTranscriptTree({ folder: one.transcripts, bytes: 600_000, seed: 2 });
  await passed(one, 20 * HOUR_MS);
  strictEqual(one.answers(), before);
  await passed(one, DAY_MS + 2 * HOUR_MS);
  ok((one.answers() ?? 0) > before);
});

Deno.test("with history.transcripts off it reads nothing", async () => {
  await using one = stage({ TC_HISTORY_TRANSCRIPTS: "false" });
  await passed(one, 3 * DAY_MS);
  strictEqual(one.answers(), null);
});

Deno.test("a look that fails says so and the next one is tried", async () => {
  await using one = stage();
  await Deno.mkdir(historyPath(one.shell.paths.stateFolder));
  const faults: string[] = [];
  await passed(one, 2 * HOUR_MS, faults);
  ok(faults.length >= 2, faults.join());
  await Deno.remove(historyPath(one.shell.paths.stateFolder));
  await passed(one, HOUR_MS);
  ok((one.answers() ?? 0) > 20);
});
