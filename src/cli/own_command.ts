/**
 * How this very program is started again. Loads nothing of the house.
 *
 * @module
 */

/** The arguments by which this very program is started again. */
export function ownCommand(args: readonly string[]): readonly string[] {
  // What Linux says of a program whose file an upgrade has replaced.
  const program = Deno.execPath().replace(/ \(deleted\)$/, "");
  if (Deno.build.standalone) return [program, ...args];
  return [program, "run", "-A", Deno.mainModule, ...args];
}
