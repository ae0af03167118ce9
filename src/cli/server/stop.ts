/**
 * `tc stop`.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { StrangerError } from "../../control/client.ts";
import { CONTROL } from "../../control/protocol.ts";
import { EXIT, TcError } from "../../errors.ts";
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
  examples: ["tc stop"],
  schema: "tc.stop/v1",
};

export function registerStop(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("--json", "Print one JSON object")
    .action(
      registry.run((options) => stop(new Shell(registry, options))),
    );
}

async function stop(shell: Shell): Promise<number> {
  const { output } = shell;
  await stopServer(shell);
  if (output.isJson) output.json({ schema: "tc.stop/v1", stopped: true });
  else output.line("Stopped.");
  if (isKept(shell)) {
    output.say("An open tc run starts it again: end that one to keep it down.");
  }
  return EXIT.ok;
}

/**
 * Returns whether the server `pid` still runs; another program or server on the
 * port does not count.
 */
async function isStillThere(shell: Shell, pid: number): Promise<boolean> {
  try {
    return (await shell.client().health()).pid === pid;
  } catch (cause) {
    if (cause instanceof StrangerError || isNotRunning(cause)) return false;
    if (cause instanceof TcError && cause.code === "no_answer") return true;
    throw cause;
  }
}

/** Resolves when the running server has ended. */
export async function stopServer(shell: Shell): Promise<void> {
  const { config } = shell;
  const { pid } = await shell.client().health();
  await shell.client().send("POST", CONTROL.stop, {});
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
}
