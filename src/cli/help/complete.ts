/**
 * What may come next on a command line: commands, options and the values that
 * are known, all from the command tree.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";

export interface Candidate {
  readonly word: string;
  readonly help: string;
}

/** Values that only the pool or the settings know. */
export interface KnownValues {
  accounts(): Promise<readonly string[]>;
  settings(): readonly string[];
}

interface Place {
  readonly command: Command;
  /** How many arguments of the command stand before the word. */
  readonly position: number;
  /** The option whose value the word is, or null. */
  readonly option: string | null;
}

/** Candidates for the last of `words`, which follow `tc` and may be empty. */
export async function candidates(
  program: Command,
  words: readonly string[],
  known: KnownValues,
): Promise<readonly Candidate[]> {
  const typed = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  // Behind `--` stand the words of another program.
  if (before.includes("--")) return [];
  const place = placeOf(program, before);
  const all = place.option === null
    ? typed.startsWith("-")
      ? optionsOf(place.command)
      : await wordsOf(place, known)
    : await valuesOf(place.option, known);
  return all.filter(({ word }) => word.startsWith(typed));
}

function placeOf(program: Command, before: readonly string[]): Place {
  let command = program;
  let position = 0;
  let option: string | null = null;
  for (const word of before) {
    if (option !== null) option = null;
    else if (word.startsWith("-")) option = takesValue(command, word);
    else {
      const child = childOf(command, word);
      if (child === null) position++;
      else {
        command = child;
        position = 0;
      }
    }
  }
  return { command, position, option };
}

function childOf(command: Command, name: string): Command | null {
  return command.commands.find((child) =>
    child.name() === name || child.aliases().includes(name)
  ) as Command | undefined ?? null;
}

/** The option's long name where its value is the next word, else null. */
function takesValue(command: Command, word: string): string | null {
  const option = command.options.find(({ long, short }) =>
    long === word || short === word
  );
  return option?.required ? option.long ?? null : null;
}

function optionsOf(command: Command): readonly Candidate[] {
  const own = command.options.filter(({ hidden }) => !hidden)
    .flatMap(({ long, description }) =>
      long ? [{ word: long, help: description }] : []
    );
  return [...own, { word: "--help", help: "Print this help" }];
}

async function wordsOf(
  { command, position }: Place,
  known: KnownValues,
): Promise<readonly Candidate[]> {
  const children = shownChildren(command).map((child) => ({
    word: child.name(),
    help: child.description(),
  }));
  if (children.length > 0) return children;
  const given = command.registeredArguments;
  const argument = given[position] ??
    (given.at(-1)?.variadic ? given.at(-1) : undefined);
  return argument === undefined
    ? []
    : await valuesOf(argument.name(), known, argument.description);
}

/** The commands of `command` that a person should see. */
export function shownChildren(command: Command): readonly Command[] {
  return command.createHelp().visibleCommands(
    // deno-lint-ignore no-explicit-any -- commander types its help with its own Command
    command as any,
  ) as unknown as readonly Command[];
}

/** Values by the name of the argument or option that takes them. */
async function valuesOf(
  name: string,
  known: KnownValues,
  description = "",
): Promise<readonly Candidate[]> {
  const plain = name.replace(/^--/, "");
  if (plain === "account") {
    return (await known.accounts()).map((word) => ({ word, help: "account" }));
  }
  if (plain === "key" && /setting/.test(description)) {
    return known.settings().map((word) => ({ word, help: "setting" }));
  }
  const listed = /^One of ([a-z, _-]+)$/.exec(description)?.[1]?.split(", ");
  return (listed ?? []).map((word) => ({ word, help: "" }));
}
