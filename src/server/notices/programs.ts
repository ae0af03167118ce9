/**
 * Tells the desktop and the user's own program of notices. It runs in the main
 * thread, because the server's worker may start no program.
 *
 * @module
 */

import { inert } from "../../core/plain_text.ts";
import { SECOND_MS } from "../../core/time.ts";
import { reasonOf } from "../../errors.ts";
import type { CommandOutcome, CommandRunner } from "../../ports.ts";
import type { NoticeEvent } from "./conditions.ts";

interface ProgramsOptions {
  /** The user's program; empty means none. */
  readonly command: string;
  readonly isDesktop: boolean;
  readonly system: string;
  readonly runner: CommandRunner;
  /** Reports a program that failed. */
  readonly failed: (reason: string) => void;
}

/** A program that hangs is ended after this time. */
const PROGRAM_MS_MAX = 10 * SECOND_MS;

/** Runs the programs for notices, one after the other and in their order. */
export class NoticePrograms {
  readonly #options: ProgramsOptions;
  #last: Promise<void> = Promise.resolve();

  constructor(options: ProgramsOptions) {
    this.#options = options;
  }

  /** Tells of `event`; resolves when the programs have ended. Never rejects. */
  tell(event: NoticeEvent): Promise<void> {
    this.#last = this.#last.then(() => this.#run(event));
    return this.#last;
  }

  async #run(event: NoticeEvent): Promise<void> {
    const { command, isDesktop, system } = this.#options;
    if (command !== "") {
      await this.#start([command], `${JSON.stringify(event)}\n`);
    }
    const desktop = isDesktop ? desktopCommand(event.text, system) : null;
    if (desktop !== null) await this.#start(desktop, "");
  }

  async #start(
    [program = "", ...args]: readonly string[],
    stdin: string,
  ): Promise<void> {
    const { runner, failed } = this.#options;
    try {
      const timeoutMs = PROGRAM_MS_MAX;
      const outcome = await runner.run(program, args, { stdin, timeoutMs });
      const fault = faultOf(outcome);
      if (fault !== null) failed(`${program} ${fault}`);
    } catch (cause) {
      failed(`${program}: ${reasonOf(cause)}`);
    }
  }
}

function faultOf(outcome: CommandOutcome): string | null {
  switch (outcome.kind) {
    case "missing":
      return "is not there";
    case "timed_out":
      return `did not end within ${PROGRAM_MS_MAX / SECOND_MS} s and was ended`;
    case "exited":
      return outcome.code === 0 ? null : `ended with code ${outcome.code}`;
  }
}

/** Returns what shows `text` on the desktop of `system`; null if nothing does. */
export function desktopCommand(
  text: string,
  system: string,
): readonly string[] | null {
  const plain = inert(text, " ");
  switch (system) {
    case "linux":
      return ["notify-send", "--app-name=tc", "--", "tc", plain];
    case "darwin":
      // The text is an argument of the script and never a part of it.
      return [
        "osascript",
        "-e",
        'on run argv\ndisplay notification (item 1 of argv) with title "tc"\nend run',
        plain,
      ];
    default:
      return null;
  }
}
