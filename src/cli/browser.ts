/**
 * Opens a page in the person's browser, where there is one.
 *
 * @module
 */

import type { Environment } from "../app/paths.ts";
import type { CommandRunner } from "../ports.ts";

/** Long enough to hand the page over; browsers that stay are left running. */
const OPEN_MS = 5_000;

/** The program that opens a page, without it; null where no browser can show. */
export function browserCommand(
  environment: Environment,
  system: string,
): readonly string[] | null {
  const { BROWSER, DISPLAY, WAYLAND_DISPLAY } = environment;
  if (BROWSER) return [BROWSER];
  switch (system) {
    case "darwin":
      return ["open"];
    case "windows":
      return ["rundll32", "url.dll,FileProtocolHandler"];
    default:
      // Without a display xdg-open would take the terminal for a text browser.
      return DISPLAY || WAYLAND_DISPLAY ? ["xdg-open"] : null;
  }
}

/** Opens `url`; false when it could not, and then a person opens it by hand. */
export async function openInBrowser(
  url: URL,
  command: readonly string[],
  runner: CommandRunner,
): Promise<boolean> {
  const [program = "", ...args] = command;
  try {
    const outcome = await runner.run(program, [...args, url.href], {
      stdin: "",
      timeoutMs: OPEN_MS,
    });
    return outcome.kind === "timed_out" ||
      (outcome.kind === "exited" && outcome.code === 0);
  } catch {
    // It may not be run at all: the address is on the screen.
    return false;
  }
}
