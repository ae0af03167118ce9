/**
 * Which process has the terminal: whether it is this one, and Ctrl-C while
 * another program has it.
 *
 * @module
 */
import { kernelText } from "../kernel_text.ts";
import type { System } from "../variables.ts";
import { systemProgram } from "./system_programs.ts";

/**
 * Returns false only where the system says that another job has the terminal:
 * it stops a job in the background (`tc server &`) as soon as that touches the
 * terminal's modes.
 */
export function isInForeground(
  system: System,
  read: () => string = () => jobText(system),
): boolean {
  if (system === "windows") return true;
  try {
    const [group, terminals] = jobOf(system, read());
    // Nothing, 0 and -1 say that it has no terminal.
    return !(Number(terminals) > 0) || terminals === group;
  } catch {
    // Without an answer assume the foreground.
    return true;
  }
}

function jobText(system: System): string {
  if (system === "linux") return kernelText(`/proc/${Deno.pid}/stat`);
  const { stdout } = new Deno.Command(systemProgram("ps", system, {}), {
    args: ["-o", "pgid=", "-o", "tpgid=", "-p", String(Deno.pid)],
    stdin: "null",
    stderr: "null",
  }).outputSync();
  return new TextDecoder().decode(stdout);
}

/** Returns the process group, and the foreground group of its terminal. */
function jobOf(
  system: System,
  text: string,
): readonly [string | undefined, string | undefined] {
  if (system !== "linux") {
    const [group, terminals] = text.trim().split(/\s+/);
    return [group, terminals];
  }
  // Fields 5 and 8; the name before them may hold any character.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return [fields[2], fields[5]];
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
