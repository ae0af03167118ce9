/**
 * Runs the Deck from the command line: what it takes from the environment, and
 * how it runs another command on its terminal.
 *
 * @module
 */

import { join } from "node:path";
import { systemClock } from "../../system/clock.ts";
import type { ControlTransport } from "../../control/client.ts";
import { type DeckEnd, runDeck } from "../../deck/program.ts";
import { systemTerminal } from "../../deck/terminal/terminal.ts";
import { colorDepth, glyphsFor } from "../../deck/terminal/theme.ts";
import type { Look } from "../../deck/model.ts";
import { ownCommand } from "../../system/own_command.ts";
import { isColored } from "../output.ts";
import { printTo } from "../print.ts";
import type { Serving } from "../../server/serving.ts";
import type { Shell } from "../shell.ts";
import { homeIn } from "../../variables.ts";

/** Returns how text is drawn on this terminal. */
export function lookOf(shell: Shell): Look {
  const { environment } = shell;
  const isWindows = shell.system === "windows";
  return { glyphs: glyphsFor({ environment, isWindows }), timeZone: null };
}

interface ShowDeckOptions {
  readonly transport: ControlTransport;
  readonly isServer: boolean;
  readonly signal: AbortSignal;
  /** A folder other than `~/.claude`, or null. */
  readonly claudeFolder: string | null;
  /** Ignores Ctrl-C while another program has the terminal. */
  readonly whileAway: Serving["whileAway"];
  /** Printed instead of running a command, in the demo; or null. */
  readonly refusal: string | null;
}

/** Shows the Deck until a person leaves it or `signal` aborts. */
export async function showDeck(
  shell: Shell,
  options: ShowDeckOptions,
): Promise<DeckEnd> {
  const { environment } = shell;
  const isWindows = shell.system === "windows";
  const isColor = isColored({
    environment,
    color: null,
    isJson: false,
    isTerminal: true,
  });
  const { refusal, whileAway } = options;
  return await runDeck({
    person: shell.person,
    transport: options.transport,
    terminal: systemTerminal(shell.system),
    clock: systemClock,
    look: lookOf(shell),
    depth: colorDepth({ environment, isWindows }, isColor),
    isServer: options.isServer,
    claudeFolder: options.claudeFolder ?? claudeFolder(shell),
    runTc: (args) =>
      refusal === null ? whileAway(() => runTc(args)) : refuse(refusal),
    signal: options.signal,
  });
}

/**
 * Shows the Deck of a server on its terminal, until one ends the other. When
 * the terminal hangs up, the server continues: sessions in other terminals use
 * it.
 */
export async function serveWithDeck(
  shell: Shell,
  serving: Serving,
  { isLasting = true, ...options }:
    & Partial<Pick<ShowDeckOptions, "claudeFolder" | "refusal">>
    // Whether the server continues when its terminal hangs up.
    & { readonly isLasting?: boolean } = {},
): Promise<number> {
  const over = new AbortController();
  const ended = serving.ended.finally(() => over.abort());
  try {
    const end = await showDeck(shell, {
      claudeFolder: null,
      refusal: null,
      ...options,
      transport: serving.server.transport,
      whileAway: serving.whileAway,
      isServer: true,
      signal: over.signal,
    });
    const livesOn = end === "lost" && isLasting;
    if (end !== "aborted" && !livesOn) {
      shell.output.say(
        "Stopping once open requests have finished. Ctrl-C stops at once.",
      );
      serving.stop();
    }
  } catch (cause) {
    serving.stop();
    throw cause;
  }
  return await ended;
}

/** Returns the folder where Claude Code keeps its files, or null. */
export function claudeFolder({ environment, system }: Shell): string | null {
  const own = environment["CLAUDE_CONFIG_DIR"];
  if (own) return own;
  const home = homeIn(environment, system);
  return home ? join(home, ".claude") : null;
}

async function runTc(args: readonly string[]): Promise<number> {
  const [program = "", ...rest] = ownCommand(args);
  const { code } = await new Deno.Command(program, {
    args: rest,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn().status;
  return code;
}

function refuse(refusal: string): Promise<number> {
  printTo(Deno.stdout, `${refusal}\n`);
  return Promise.resolve(0);
}
