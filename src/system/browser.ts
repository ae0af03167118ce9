/**
 * Opens a page in the person's browser, where there is one.
 *
 * @module
 */

import { systemClock } from "./clock.ts";
import type { Environment } from "./paths.ts";

/** Long enough to hear of a failure. */
const OPEN_MS = 2_000;

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
  [program = "", ...args]: readonly string[],
): Promise<boolean> {
  try {
    const child = new Deno.Command(program, {
      args: [...args, url.href],
      stdin: "null",
      stdout: "null",
      stderr: "null",
      // Ctrl-C in this terminal is for the sign-in, not for the browser.
      detached: true,
    }).spawn();
    child.unref();
    const stop = new AbortController();
    const { signal } = stop;
    const late = systemClock.sleep(OPEN_MS, signal).then(
      () => null,
      () => null,
    );
    const end = await Promise.race([child.status, late]);
    stop.abort();
    // A program that stays is the browser itself.
    return end?.success ?? true;
  } catch {
    // It may not be run at all: the address is on the screen.
    return false;
  }
}
