/**
 * The texts of the command tree as data, so that root help and completions need
 * not load every command. `deno task commands` regenerates the file; a test
 * compares it with the commands.
 *
 * @module
 */

import type { CommandGroup } from "../registry.ts";
import tree from "./command_tree.json" with { type: "json" };

/** A command as a person sees it: hidden options and commands are left out. */
export interface CommandNode {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  /** Null for the root and for subcommands. */
  readonly group: CommandGroup | null;
  readonly options: readonly OptionNode[];
  readonly arguments: readonly ArgumentNode[];
  readonly commands: readonly CommandNode[];
}

interface OptionNode {
  /** As in the help: `-y, --yes`. */
  readonly flags: string;
  readonly summary: string;
  /** Whether the next word is its value. */
  readonly takesValue: boolean;
}

interface ArgumentNode {
  readonly name: string;
  readonly summary: string;
  readonly isVariadic: boolean;
}

export const COMMAND_TREE = tree as CommandNode;
