/**
 * `tc restart`: replaces the running server by a new one.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { CONTROL } from "../../control/protocol.ts";
import { EXIT, TcError } from "../../errors.ts";
import { isNotRunning } from "../accounts/account_work.ts";
import { startInBackground } from "../../server/background_server.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { stopServer } from "./stop.ts";

const START_MS_MAX = 20_000;
const LOOK_MS = 50;
/**
 * Both servers answer on the port for a while; this many equal answers in a row
 * decide.
 */
const AGREE = 5;

const TEXT: CommandText = {
  name: "restart",
  group: "server",
  summary: "Replace the running server once open requests have finished",
  examples: ["tc restart"],
  schema: "tc.restart/v1",
};

export function registerRestart(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("--json", "Print one JSON object")
    .action(registry.run(async (options) => {
      const shell = new Shell(registry, options);
      const before = (await shell.client().health()).pid;
      // Other systems cannot share a port, so the new server starts afterwards.
      const pid = shell.system === "linux"
        ? await handOver(shell, before)
        : await stopAndStart(shell);
      const { output } = shell;
      if (output.isJson) output.json({ schema: "tc.restart/v1", before, pid });
      else output.line(`Restarted: pid ${before} is now pid ${pid}.`);
      return EXIT.ok;
    }));
}

async function handOver(shell: Shell, before: number): Promise<number> {
  await shell.client().send("POST", CONTROL.restart, {});
  const deadline = performance.now() + START_MS_MAX;
  for (let seen = 0; seen < AGREE;) {
    const pid = await pidOf(shell);
    seen = pid === null || pid === before ? 0 : seen + 1;
    if (pid !== null && seen === AGREE) return pid;
    if (performance.now() > deadline) throw stillTheSame();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw stillTheSame();
}

/**
 * Returns the process that answers; null if the old one has just closed the
 * connection.
 */
async function pidOf(shell: Shell): Promise<number | null> {
  try {
    return (await shell.client().health()).pid;
  } catch (cause) {
    if (isNotRunning(cause)) return null;
    throw cause;
  }
}

async function stopAndStart(shell: Shell): Promise<number> {
  await stopServer(shell);
  await startInBackground(shell);
  return (await shell.client().health()).pid;
}

function stillTheSame(): TcError {
  return new TcError("Cannot restart: the old server still answers", {
    code: "not_restarted",
    exitCode: EXIT.unavailable,
    hint: "Its log says why the new one did not start; nothing was lost.",
  });
}
