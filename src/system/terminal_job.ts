/**
 * Which process has the terminal: whether it is this one, and Ctrl-C while
 * another program has it.
 *
 * @module
 */
import type { System } from "../variables.ts";

/**
 * Returns false only where the system says that another job has the terminal:
 * it stops a job in the background (`tc server &`) as soon as that touches the
 * terminal's modes.
 */
export function isInForeground(
  system: System,
  read: () => string = () => Deno.readTextFileSync("/proc/self/stat"),
): boolean {
  if (system !== "linux") return true;
  try {
    return foregroundOf(read());
  } catch {
    // Without /proc assume the foreground.
    return true;
  }
}

/**
 * Compares fields 5 and 8 of /proc/self/stat: the process group, and the
 * terminal's foreground group.
 */
function foregroundOf(stat: string): boolean {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const group = fields[2];
  const terminals = fields[5];
  return terminals === undefined || terminals === "-1" || terminals === group;
}

/**
 * Ctrl-C while another program has the terminal: the system sends it to both
 * processes, and it is meant for that program alone.
 */
export class Interrupts {
  #away = 0;

  /** Calls `listener` unless another program has the terminal. */
  pass(listener: () => void): void {
    if (this.#away === 0) listener();
  }

  /** Runs `run` and ignores interrupts meanwhile. */
  async whileAway<Result>(run: () => Promise<Result>): Promise<Result> {
    this.#away++;
    try {
      return await run();
    } finally {
      this.#away--;
    }
  }
}
