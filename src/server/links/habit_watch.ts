/**
 * Keeps the usual week of the pool's person for forecasts. The main thread draws
 * it from the databases, as it draws reports.
 *
 * @module
 */

import type { Habit } from "../../core/quota/habit.ts";
import { MINUTE_MS } from "../../core/time.ts";
import type { Clock, Journal } from "../../ports.ts";
import type { ReportAsker } from "./report_link.ts";
import { Rounds } from "../worker/rounds.ts";

/** On a first day transcripts are read some minutes after the start. */
const LOOK_MS = 15 * MINUTE_MS;

export class HabitWatch {
  readonly #rounds: Rounds;
  #habit: Habit | null = null;

  constructor(
    { reports, clock, journal }: {
      readonly reports: Pick<ReportAsker, "habit">;
      readonly clock: Clock;
      readonly journal: Journal;
    },
  ) {
    this.#rounds = new Rounds({
      failure: "usual_week",
      clock,
      journal,
      round: async () => {
        this.#habit = await reports.habit();
        return LOOK_MS;
      },
      afterFailureMs: LOOK_MS,
    });
  }

  /** The usual week as it was last drawn; null if none is known. */
  get habit(): Habit | null {
    return this.#habit;
  }

  start(): void {
    this.#rounds.start();
  }

  stop(): Promise<void> {
    return this.#rounds.stop();
  }
}
