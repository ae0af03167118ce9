/**
 * `tc stop`.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { StrangerError } from "../../control/client.ts";
import { placeOf } from "../../control/server_connection.ts";
import { CONTROL } from "../../control/protocol.ts";
import { EXIT, TcError } from "../../errors.ts";
import { hasEnded } from "../../claude/sessions/process_life.ts";
import { isNotRunning } from "../accounts/account_work.ts";
import { isKept } from "../../server/background_server.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

/** Time for the process to end, beyond its drain. */
const MARGIN_MS = 5_000;
const LOOK_MS = 100;

const TEXT: CommandText = {
  name: "stop",
  group: "server",
  summary: "Stop the running server once its requests have finished",
  examples: ["tc stop", "tc stop --now", "tc stop --no-wait"],
  schema: "tc.stop/v1",
};

export function registerStop(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("--now", "Cut open requests instead of waiting for them")
    .option("--no-wait", "Return at once; the server stops by itself")
    .option("--json", "Print one JSON object")
    .action(
      registry.run((options) => stop(new Shell(registry, options), options)),
    );
}

/** How a server is stopped. */
interface StopHow {
  /** Cuts what is open. */
  readonly now?: boolean | undefined;
  /** False: does not wait for its end. */
  readonly wait?: boolean;
}

async function stop(shell: Shell, how: StopHow): Promise<number> {
  const { output } = shell;
  const isStopped = await stopServer(shell, how).catch((cause) => {
    throw isNotRunning(cause) ? nothingToStop(shell, cause) : cause;
  });
  if (output.isJson) output.json({ schema: "tc.stop/v1", stopped: isStopped });
  else output.line(isStopped ? "Stopped." : "Stopping.");
  if (isKept(shell)) {
    output.say("An open tc run starts it again: end that one to keep it down.");
  }
  return EXIT.ok;
}

/** Returns the error where none runs: nobody who stops it wants it started. */
function nothingToStop({ address }: Shell, cause: unknown): TcError {
  const where = placeOf(address);
  return new TcError(`Cannot stop tc on ${where}: no server runs there`, {
    code: "not_running",
    source: "user",
    exitCode: EXIT.notRunning,
    hint: "tc doctor   says which program holds a port",
    cause,
  });
}

/** Says what the server still does before it ends. */
async function tellOpen(shell: Shell, { now }: StopHow): Promise<void> {
  const { requests } = await shell.client().status();
  const count = requests.length;
  if (count === 0) return;
  const what = `${count} request${count === 1 ? "" : "s"}`;
  const seconds = Math.ceil(shell.config.settings.timeouts.drainMs / 1_000);
  shell.output.say(
    now === true
      ? `Cutting ${what}.`
      : `Finishing ${what}, at most ${seconds} s. tc stop --now cuts them.`,
  );
}

/**
 * Returns whether the server `pid` of this machine still runs; another program or server on the
 * port does not count.
 */
async function isStillThere(shell: Shell, pid: number): Promise<boolean> {
  // It no longer answers, but its port and its pool are taken until it has ended.
  if (!hasEnded(pid)) return true;
  try {
    return (await shell.client().health()).pid === pid;
  } catch (cause) {
    if (cause instanceof StrangerError || isNotRunning(cause)) return false;
    if (cause instanceof TcError && cause.code === "no_answer") return true;
    throw cause;
  }
}

/**
 * Stops the running server. Returns true when its process has ended, or false at
 * once if nobody waits for that.
 */
export async function stopServer(
  shell: Shell,
  how: StopHow = {},
): Promise<boolean> {
  const { config } = shell;
  const { pid } = await shell.client().health();
  await tellOpen(shell, how);
  const path = how.now === true ? `${CONTROL.stop}?now=1` : CONTROL.stop;
  await shell.client().send("POST", path, {});
  if (how.wait === false) return false;
  const deadline = performance.now() + config.settings.timeouts.drainMs +
    MARGIN_MS;
  while (await isStillThere(shell, pid)) {
    if (performance.now() > deadline) {
      throw new TcError("The server has not stopped yet", {
        code: "still_running",
        exitCode: EXIT.tryLater,
        hint: "tc status   shows what it waits for",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return true;
}
