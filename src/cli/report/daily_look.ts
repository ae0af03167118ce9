/**
 * A look at the transcripts once a day by a running server, so that months are
 * kept although nobody asks for a report: Claude Code deletes its transcripts
 * after 30 days. It runs in the main thread, beside the worker that serves.
 *
 * @module
 */

import { reasonOf } from "../../errors.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../core/time.ts";
import type { Clock } from "../../ports.ts";
import { lastLook } from "../../store/history/history_report.ts";
import { historyPath, openHistory } from "../../store/history/history_store.ts";
import type { Shell } from "../shell.ts";
import { lookAtTranscripts } from "./read_transcripts.ts";
import type { Pace } from "./transcript_look.ts";

/** The start of a server has other work. */
const FIRST_MS = 10 * MINUTE_MS;
/** A look reads at most so much; the next one goes on an hour later. */
const BYTES_MAX = 1_000_000_000;
/** The pause after each part of 256 KB, in which this thread does its other work. */
const PAUSE_MS = 25;

interface DailyLook {
  /** Returns the shell with the settings of now. */
  readonly make: () => Shell;
  readonly clock: Clock;
  /** Called with the reason when a look fails. */
  readonly failed: (reason: string) => void;
  /** Stops the looks, also one that is under way. */
  readonly signal: AbortSignal;
}

/**
 * Looks ten minutes after the start and then whenever the last look, by whom
 * ever, is a day old or did not come to its end. Resolves when the signal
 * aborts; never rejects.
 */
export async function lookDaily(options: DailyLook): Promise<void> {
  const { make, clock, failed, signal } = options;
  for (let waitMs = FIRST_MS;; waitMs = HOUR_MS) {
    try {
      await clock.sleep(waitMs, signal);
    } catch {
      return;
    }
    try {
      const shell = make();
      if (!shell.config.settings.history.transcripts) continue;
      if (!isDue(shell.paths.stateFolder, clock.now())) continue;
      await lookAtTranscripts(shell, new SlowPace(clock, signal));
    } catch (cause) {
      failed(`cannot read the transcripts: ${reasonOf(cause)}`);
    }
  }
}

function isDue(stateFolder: string, nowMs: number): boolean {
  let database;
  try {
    database = openHistory(historyPath(stateFolder), "read_only");
  } catch {
    // There was no look yet; what else is wrong, the look says.
    return true;
  }
  try {
    const last = lastLook(database);
    return last === null || !last.isWhole || nowMs - last.at >= DAY_MS;
  } finally {
    database.close();
  }
}

/** Reads with pauses, and up to a limit. */
class SlowPace implements Pace {
  total = 0;
  done = 0;
  readonly isHurried = false;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
  }

  get isStopped(): boolean {
    return this.#signal.aborted || this.done >= BYTES_MAX;
  }

  async add(bytes: number): Promise<boolean> {
    this.done += bytes;
    try {
      await this.#clock.sleep(PAUSE_MS, this.#signal);
    } catch {
      // It ends.
    }
    return !this.isStopped;
  }
}
