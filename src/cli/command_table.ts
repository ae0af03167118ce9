/**
 * The command table: what each command does, with examples. Help, man page,
 * completions and the README are made from it.
 *
 * @module
 */

import { COMMANDS_OF_CARE } from "./commands_of_care.ts";
import { COMMANDS_OF_USE } from "./commands_of_use.ts";
import type { CommandText } from "./help/command_text.ts";

export type { CommandGroup, CommandText } from "./help/command_text.ts";

export const COMMANDS: readonly CommandText[] = [
  ...COMMANDS_OF_USE,
  ...COMMANDS_OF_CARE,
];

/** The row of `name`; throws where a command has none. */
export function commandText(name: string): CommandText {
  const text = COMMANDS.find((candidate) => candidate.name === name);
  if (text === undefined) {
    throw new RangeError(`Cannot find ${name} in the command table`);
  }
  return text;
}
