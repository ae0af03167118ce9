/**
 * `tc __complete`: what may come next on a command line. The completion scripts
 * run it at every Tab, so it answers from the data of the command tree, and
 * loads the pool only for names of accounts.
 *
 * @module
 */

import { inert } from "../../core/plain_text.ts";
import { EXIT } from "../../errors.ts";
import { printTo } from "../print.ts";
import { COMMAND_TREE, type CommandNode } from "./command_tree.ts";
import type { System } from "../../variables.ts";

interface Candidate {
  readonly word: string;
  readonly help: string;
}

/** Values that only the pool or the settings know. */
interface KnownValues {
  accounts(): Promise<readonly string[]>;
  settings(): Promise<readonly string[]>;
  /** Names of the repositories or ids of the sessions of the last weeks. */
  worked(on: "project" | "session"): Promise<readonly string[]>;
}

interface Place {
  readonly command: CommandNode;
  /** The number of the command's arguments that stand before the word. */
  readonly position: number;
  /** The option whose value the word is, or null. */
  readonly option: string | null;
}

/**
 * Prints one candidate per line, `word<TAB>help`, for the last word of `args`.
 * It prints nothing on an error, because it runs at a prompt.
 */
export async function complete(
  args: readonly string[],
  system: System,
): Promise<number> {
  const words = args[0] === "--" ? args.slice(1) : args;
  // PowerShell drops an empty last word, so its script sends quotes.
  const typed = words.map((word) => word === '""' ? "" : word);
  try {
    const found = await candidates(
      COMMAND_TREE,
      typed.length > 0 ? typed : [""],
      {
        accounts: () => accountNames(system),
        settings: settingNames,
        worked: (on) => workedNames(system, on),
      },
    );
    const lines = found.map(({ word, help }) =>
      `${inert(word)}\t${inert(help)}\n`
    );
    printTo(Deno.stdout, lines.join(""));
  } catch {
    // Other commands report a broken config or vault.
  }
  return EXIT.ok;
}

async function accountNames(system: System): Promise<readonly string[]> {
  const { readEnvironment, Shell } = await import("../shell.ts");
  const { storedAccounts } = await import("../accounts/account_work.ts");
  const shell = new Shell({ environment: readEnvironment(system), system }, {
    input: false,
  });
  const { accounts } = await storedAccounts(shell);
  return accounts.map(({ account }) => account.label);
}

async function settingNames(): Promise<readonly string[]> {
  const { settingRows } = await import("../../config/settings.ts");
  return settingRows().map(({ key }) => key);
}

/** How far back sessions and repositories are named. */
const WORKED_DAYS = 30;

async function workedNames(
  system: System,
  on: "project" | "session",
): Promise<readonly string[]> {
  const { readEnvironment, Shell } = await import("../shell.ts");
  const { recentNames } = await import("../../records/report_filter.ts");
  const shell = new Shell({ environment: readEnvironment(system), system }, {
    input: false,
  });
  return recentNames(shell.paths.stateFolder, on, WORKED_DAYS);
}

/** Returns candidates for the last of `words`, which follow `tc`. */
export async function candidates(
  tree: CommandNode,
  words: readonly string[],
  known: KnownValues,
): Promise<readonly Candidate[]> {
  const typed = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  // The words after `--` belong to another program.
  if (before.includes("--")) return [];
  const place = placeOf(tree, before);
  const all = place.option === null
    ? typed.startsWith("-")
      ? optionsOf(place.command)
      : await wordsOf(place, known)
    : await valuesOf(place.option, known);
  return all.filter(({ word }) => word.startsWith(typed));
}

function placeOf(tree: CommandNode, before: readonly string[]): Place {
  let command = tree;
  let position = 0;
  let option: string | null = null;
  for (const word of before) {
    if (option !== null) option = null;
    else if (word.startsWith("-")) option = takesValue(command, word);
    else {
      // After `help` any command may follow, as at the beginning of the line.
      const child = command.commands.find(({ name, aliases }) =>
        name !== "help" && (name === word || aliases.includes(word))
      );
      if (child === undefined) position++;
      else {
        command = child;
        position = 0;
      }
    }
  }
  return { command, position, option };
}

/** Returns the option's long name if the next word is its value, else null. */
function takesValue({ options }: CommandNode, word: string): string | null {
  const option = options.find(({ flags }) => namesIn(flags).includes(word));
  return option?.takesValue ? longIn(option.flags) : null;
}

/** Returns the names in flags: `-y` and `--yes` of `-y, --yes <x>`. */
function namesIn(flags: string): readonly string[] {
  return flags.match(/(?<![\w-])--?[\w-]+/g) ?? [];
}

function longIn(flags: string): string | null {
  return namesIn(flags).find((name) => name.startsWith("--")) ?? null;
}

function optionsOf({ options }: CommandNode): readonly Candidate[] {
  return options.flatMap(({ flags, summary }) => {
    const word = longIn(flags);
    return word === null ? [] : [{ word, help: summary }];
  });
}

async function wordsOf(
  { command, position }: Place,
  known: KnownValues,
): Promise<readonly Candidate[]> {
  if (command.commands.length > 0) {
    return command.commands.map(({ name, summary }) => ({
      word: name,
      help: summary,
    }));
  }
  const last = command.arguments.at(-1);
  const argument = command.arguments[position] ??
    (last?.isVariadic ? last : undefined);
  return argument === undefined
    ? []
    : await valuesOf(argument.name, known, argument.summary);
}

/** Returns the known values of an argument or option, by its name. */
async function valuesOf(
  name: string,
  known: KnownValues,
  summary = "",
): Promise<readonly Candidate[]> {
  const plain = name.replace(/^--/, "");
  if (plain === "account") {
    return (await known.accounts()).map((word) => ({ word, help: "account" }));
  }
  if (name === "--project" || name === "--session") {
    const on = name === "--project" ? "project" : "session";
    return (await known.worked(on)).map((word) => ({ word, help: on }));
  }
  if (plain === "key" && /setting/.test(summary)) {
    return (await known.settings()).map((word) => ({ word, help: "setting" }));
  }
  const listed = /^One of ([a-z, _-]+)$/.exec(summary)?.[1]?.split(", ");
  return (listed ?? []).map((word) => ({ word, help: "" }));
}
