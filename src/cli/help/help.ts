/**
 * Help texts: examples first, 80 columns, the same texts as the man page.
 *
 * @module
 */

import type { Command, Help } from "@commander-js/extra-typings";
import { hintText, type PersonShell } from "../../shell_words.ts";
import type { CommandGroup, CommandText } from "../registry.ts";
import { COMMAND_TREE } from "./command_tree.ts";

const GROUPS: readonly (readonly [CommandGroup, string])[] = [
  ["start", "Start"],
  ["accounts", "Accounts"],
  ["look", "Look"],
  ["server", "Server"],
  ["more", "More"],
];

const COLUMNS = 80;

/** Returns the help of `tc` itself, which needs no command loaded. */
export function rootHelp(): string {
  const options = COMMAND_TREE.options
    .map(({ flags, summary }) => [flags, summary] as const);
  return [
    rootHead(),
    commandList(),
    "Usage: tc [options] [command]",
    ...block("Options", options),
  ].join("\n\n") + "\n";
}

/** Returns the help of `command`; commander calls it. */
export function helpText(
  command: Command,
  helper: Help,
  { texts, person }: {
    readonly texts: ReadonlyMap<string, CommandText>;
    readonly person: PersonShell;
  },
): string {
  // deno-lint-ignore no-explicit-any -- commander types its help with its own Command
  const plain = command as any;
  const path = (helper.commandUsage(plain).split(" [")[0] ?? "tc")
    .split(" <")[0]?.replace(/\|.*/, "") ?? "tc";
  if (path === "tc") return rootHelp();
  const options = helper.visibleOptions(plain)
    .map((option) => [helper.optionTerm(option), option.description] as const);
  const subcommands = helper.visibleCommands(plain)
    .filter((child) => child.name() !== "help")
    .map((child) =>
      [helper.subcommandTerm(child), child.description()] as const
    );
  return [
    commandHead(command, texts.get(path.replace(/^tc /, "")), person),
    `Usage: ${helper.commandUsage(plain)}`,
    ...block("Commands", subcommands),
    ...block("Options", options),
  ].join("\n\n") + "\n";
}

function rootHead(): string {
  return [
    "tc: all your Claude accounts behind one local address",
    "",
    "  tc login          add a subscription, in your browser",
    "  tc run            Claude Code through the pool",
    "  tc demo           try it with simulated accounts",
  ].join("\n");
}

function commandHead(
  command: Command,
  text: CommandText | undefined,
  person: PersonShell,
): string {
  const summary = text?.summary ?? command.description();
  const examples = (text?.examples ?? []).map((example) =>
    `  ${hintText(example, person)}`
  );
  return [summary, ...(examples.length > 0 ? ["", ...examples] : [])].join(
    "\n",
  );
}

function commandList(): string {
  const lines: string[] = [];
  for (const [group, title] of GROUPS) {
    lines.push(`${title}:`);
    for (const { name, summary, group: own } of COMMAND_TREE.commands) {
      if (own === group) lines.push(...row(name, summary, 12));
    }
  }
  return lines.join("\n");
}

function block(
  title: string,
  rows: readonly (readonly [term: string, description: string])[],
): readonly string[] {
  if (rows.length === 0) return [];
  const width = Math.min(
    30,
    Math.max(...rows.map(([term]) => term.length)) + 2,
  );
  return [
    [`${title}:`, ...rows.flatMap(([term, text]) => row(term, text, width))]
      .join("\n"),
  ];
}

/** Returns one row, with the description wrapped beside its term. */
function row(
  term: string,
  description: string,
  width: number,
): readonly string[] {
  const room = COLUMNS - width - 2;
  const lines: string[] = [];
  let line = "";
  for (const word of description.split(" ")) {
    if (line !== "" && line.length + word.length + 1 > room) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  lines.push(line);
  const indent = " ".repeat(width + 2);
  const head = `  ${term.padEnd(width)}`;
  if (head.length > width + 2) return [head, ...lines.map((l) => indent + l)];
  return lines.map((text, index) => (index === 0 ? head : indent) + text);
}
