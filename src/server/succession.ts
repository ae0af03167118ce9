/**
 * Restart without loss: the next server starts first, shares the port, and then
 * tells the previous one to drain.
 *
 * @module
 */

import { ownCommand } from "../system/own_command.ts";
import { reasonOf } from "../errors.ts";

/** How the next server is started. */
export interface Successor {
  readonly args: readonly string[];
  /**
   * Whether it outlives this process; if not, this process waits for its end.
   */
  readonly isDetached: boolean;
}

const FORWARDED: readonly Deno.Signal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Starts it in `folder`. It sends SIGTERM to this process when it serves; if it
 * cannot serve, it ends and this server continues. Returns the reason instead
 * if it cannot be started, for example because the executable is gone.
 */
export function startSuccessor(
  { args, isDetached }: Successor,
  folder: string,
): Deno.ChildProcess | string {
  const [program = "", ...first] = ownCommand(args);
  const stdio = isDetached ? "null" : "inherit";
  try {
    const child = new Deno.Command(program, {
      args: first,
      cwd: folder,
      stdin: "null",
      stdout: stdio,
      stderr: stdio,
      detached: isDetached,
    }).spawn();
    if (isDetached) child.unref();
    return child;
  } catch (cause) {
    const reason = reasonOf(cause);
    return isThere(program)
      ? `${program} cannot be started: ${reason}`
      : `${program} no longer exists: install tc there again`;
  }
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    // It is gone or cannot be reached.
    return false;
  }
}

/** Tells the previous server, process `pid`, to drain and end. */
export function endPredecessor(pid: number): void {
  try {
    Deno.kill(pid, "SIGTERM");
  } catch (cause) {
    // It has ended by itself.
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
}

/**
 * Waits for `child` and forwards signals to it: terminal and service manager
 * know only this process. Returns its exit code.
 */
export async function waitForSuccessor(
  child: Deno.ChildProcess,
): Promise<number> {
  const handlers = FORWARDED.map((signal) =>
    [signal, () => forward(child, signal)] as const
  );
  for (const [signal, handler] of handlers) {
    Deno.addSignalListener(signal, handler);
  }
  try {
    return (await child.status).code;
  } finally {
    for (const [signal, handler] of handlers) {
      Deno.removeSignalListener(signal, handler);
    }
  }
}

function forward(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It ended between the signal and here.
  }
}
