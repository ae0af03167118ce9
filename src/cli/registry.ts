/**
 * How a command's file adds itself to the command tree.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import type { Hint } from "../shell_words.ts";
import type { Host } from "../variables.ts";

/** The headings of `tc --help` under which commands are listed. */
export type CommandGroup = "start" | "accounts" | "look" | "server" | "more";

/** What help, man page, completions and the README say about a command. */
export interface CommandText {
  readonly name: string;
  readonly group: CommandGroup;
  /** One line, without a full stop. */
  readonly summary: string;
  readonly examples: readonly Hint[];
  /** Schema of the `--json` answer, or null where the command prints no data. */
  readonly schema: string | null;
}

export interface Registry extends Host {
  /** The text of each command in the tree, by name. */
  readonly texts: Map<string, CommandText>;
  /** Wraps a command's action: its result is the exit code. */
  run<Args extends readonly unknown[]>(
    action: (...args: Args) => Promise<number> | number,
  ): (...args: Args) => Promise<void>;
}

/** Adds the command of `text` to the tree, without arguments and options yet. */
export function addCommand(
  program: Command,
  registry: Registry,
  text: CommandText,
): Command {
  registry.texts.set(text.name, text);
  return program.command(text.name).description(text.summary) as Command;
}
