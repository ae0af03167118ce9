/**
 * Opens a page in the person's browser.
 *
 * @module
 */

import { systemClock } from "../system/clock.ts";
import type { Environment } from "../system/paths.ts";

/** Time in which a failure to open shows. */
const OPEN_MS = 2_000;

/**
 * Returns the command that opens a page, without its URL; null if no browser
 * can be shown.
 */
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
      // Without a display xdg-open would start a text browser in the terminal.
      return DISPLAY || WAYLAND_DISPLAY ? ["xdg-open"] : null;
  }
}

/** Opens `url`. Returns false if that failed; then the user opens it. */
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
    // A program that keeps running is the browser itself.
    return end?.success ?? true;
  } catch {
    // It cannot be run; the address is on the screen.
    return false;
  }
}
