/**
 * What is told of a command: one row of the command table.
 *
 * @module
 */

export type CommandGroup = "start" | "accounts" | "look" | "server" | "more";

export interface CommandText {
  readonly name: string;
  readonly group: CommandGroup;
  /** One line, no full stop. */
  readonly summary: string;
  readonly examples: readonly string[];
  /** Schema of the `--json` answer, or null where it prints no data. */
  readonly schema: string | null;
}
