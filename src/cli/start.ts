/**
 * Where every run begins. What is asked for often is answered before the command
 * tree is loaded: the version, help, completions, and what Claude Code runs.
 *
 * @module
 */

import { EXIT, reasonOf } from "../errors.ts";
import type { System } from "../variables.ts";
import { versionText } from "../release/version.ts";
import { printTo } from "./print.ts";

/** Runs one command line on `system`. Returns the exit code. */
export async function start(
  args: readonly string[],
  system: System,
): Promise<number> {
  const [first] = args;
  if (args.length === 1 && (first === "--version" || first === "-V")) {
    return printText(`${versionText()}\n`);
  }
  if (isStatusline(args)) {
    const { statusline } = await import("./statusline/statusline_run.ts");
    return await statusline(args, system);
  }
  if (first === "hook") {
    // Runs at every prompt. The tree exits with 2 on a usage error, which would
    // block the prompt.
    const { runHook } = await import("./plugin/hook_run.ts");
    return await runHook(args[1], system);
  }
  if (first === "__complete") {
    const { complete } = await import("./help/complete.ts");
    return await complete(args.slice(1), system);
  }
  if (args.length === 1 && ["help", "--help", "-h"].includes(first ?? "")) {
    const { rootHelp } = await import("./help/help.ts");
    return printText(rootHelp());
  }
  const { main } = await import("./root.ts");
  return await main(resumes(first) ? ["run", "--", ...args] : args, system);
}

/**
 * Whether the line begins with an option by which Claude Code resumes a
 * session: it prints `tc --resume ID` when a session of `tc run` ends.
 */
function resumes(first: string | undefined): boolean {
  return first !== undefined &&
    (["--resume", "-r", "--continue", "-c"].includes(first) ||
      first.startsWith("--resume="));
}

function printText(text: string): number {
  try {
    printTo(Deno.stdout, text);
    return EXIT.ok;
  } catch (cause) {
    const words = reasonOf(cause);
    printTo(Deno.stderr, `${words}\n`);
    return EXIT.cannotWrite;
  }
}

/**
 * Whether it is the status line itself; its help and `install` are ordinary
 * commands.
 */
function isStatusline([command, ...options]: readonly string[]): boolean {
  return command === "statusline" &&
    options.every((option) => option === "--wrap");
}
