/**
 * The first step of the command line: what runs many times a minute is loaded
 * alone, everything else with the whole command tree.
 *
 * @module
 */

/** Runs one command line; resolves to the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  if (isStatusline(args)) {
    const { statusline } = await import("./statusline_run.ts");
    return await statusline(args);
  }
  const root = await import("./root.ts");
  return await root.main(args);
}

/** Installing it and its help are commands like any other. */
function isStatusline([command, ...options]: readonly string[]): boolean {
  return command === "statusline" &&
    options.every((option) => option === "--wrap");
}
