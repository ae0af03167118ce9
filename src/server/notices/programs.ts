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
    if (desktop !== null) await this.#start(desktop.command, desktop.stdin);
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

/** A program that shows a notice. */
interface DesktopCommand {
  readonly command: readonly string[];
  readonly stdin: string;
}

/** Returns what shows `text` on the desktop of `system`; null if nothing does. */
export function desktopCommand(
  text: string,
  system: string,
): DesktopCommand | null {
  const plain = inert(text, " ");
  switch (system) {
    case "linux":
      return {
        command: ["notify-send", "--app-name=tc", "--", "tc", plain],
        stdin: "",
      };
    case "darwin":
      // The text is an argument of the script and never a part of it.
      return {
        command: [
          "osascript",
          "-e",
          'on run argv\ndisplay notification (item 1 of argv) with title "tc"\nend run',
          plain,
        ],
        stdin: "",
      };
    case "windows":
      return {
        command: [
          "powershell.exe",
          "-NoProfile",
          "-NonInteractive",
          "-Command",
          TOAST,
        ],
        // As base64: the console's code page would change other letters.
        stdin: new TextEncoder().encode(plain).toBase64(),
      };
    default:
      return null;
  }
}

/**
 * Shows a toast with the text of stdin, by Windows PowerShell 5.1, which knows
 * Windows' own types. A toast needs a program of the start menu as its sender:
 * PowerShell is one on every Windows. The text becomes a node of the XML and
 * never a part of it or of the script.
 */
const TOAST = [
  "$ErrorActionPreference='Stop'",
  "$null=[Windows.UI.Notifications.ToastNotificationManager,Windows.UI.Notifications,ContentType=WindowsRuntime]",
  "$null=[Windows.UI.Notifications.ToastNotification,Windows.UI.Notifications,ContentType=WindowsRuntime]",
  "$bytes=[Convert]::FromBase64String([Console]::In.ReadToEnd().Trim())",
  "$text=[Text.Encoding]::UTF8.GetString($bytes)",
  "$xml=[Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent([Windows.UI.Notifications.ToastTemplateType]::ToastText02)",
  "$lines=$xml.GetElementsByTagName('text')",
  "$null=$lines.Item(0).AppendChild($xml.CreateTextNode('tc'))",
  "$null=$lines.Item(1).AppendChild($xml.CreateTextNode($text))",
  "$toast=New-Object Windows.UI.Notifications.ToastNotification $xml",
  "$sender='{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\\WindowsPowerShell\\v1.0\\powershell.exe'",
  "[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier($sender).Show($toast)",
].join(";");
