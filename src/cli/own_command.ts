/**
 * How this very program is started again. Loads nothing of the house.
 *
 * @module
 */

/** The arguments by which this very program is started again. */
export function ownCommand(args: readonly string[]): readonly string[] {
  if (Deno.build.standalone) return [Deno.execPath(), ...args];
  return [Deno.execPath(), "run", "-A", Deno.mainModule, ...args];
}
