/**
 * Restart without loss: the server that comes starts first, shares the port,
 * and then tells the one that goes to drain.
 *
 * @module
 */

import { ownCommand } from "../system/own_command.ts";
import { reasonOf } from "../errors.ts";

/** How the next server is started. */
export interface Successor {
  readonly args: readonly string[];
  /** Whether it outlives this process; else this one waits for its end. */
  readonly isDetached: boolean;
}

const FORWARDED: readonly Deno.Signal[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Starts it in `folder`. It sends SIGTERM here when it serves; when it cannot,
 * it ends by itself and this server goes on. Returns why it cannot be started
 * where that is so: the executable may be gone.
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
    // Gone, or out of reach.
    return false;
  }
}

/** The server that goes has drained, and its successor serves in its stead. */
export function yieldTo(pid: number): void {
  try {
    Deno.kill(pid, "SIGTERM");
  } catch (cause) {
    // It has ended by itself meanwhile.
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  }
}

/** Stands in for `child` towards terminal and service manager; its exit code. */
export async function standInFor(child: Deno.ChildProcess): Promise<number> {
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
