/**
 * Turns refusals of the command line's parser into tc's own sentences: what is
 * wrong, with which command, and what to type instead.
 *
 * @module
 */

import { inert } from "../core/plain_text.ts";
import { UsageError } from "../errors.ts";
import { COMMAND_TREE, type CommandNode } from "./help/command_tree.ts";
import { nearest } from "../core/nearest.ts";

/** The command that was typed, with the words that name it. */
interface Typed {
  readonly node: CommandNode;
  /** `tc config set`. */
  readonly name: string;
  /** The first word after the command that is no option; empty if none is. */
  readonly word: string;
}

function typedIn(args: readonly string[]): Typed {
  let node = COMMAND_TREE;
  const words = ["tc"];
  let word = "";
  for (const arg of args) {
    if (arg === "--") break;
    const child = node.commands.find(({ name, aliases }) =>
      name === arg || aliases.includes(arg)
    );
    if (child === undefined) {
      if (word === "" && !arg.startsWith("-")) word = arg;
      continue;
    }
    node = child;
    word = "";
    words.push(child.name);
  }
  return { node, name: words.join(" "), word };
}

/**
 * Returns the error for the parser's `message` about `args`: the same refusal,
 * told plainly.
 */
export function parserError(
  message: string,
  args: readonly string[],
): UsageError {
  const typed = typedIn(args);
  for (const [pattern, told] of REFUSALS) {
    const match = pattern.exec(message);
    if (match !== null) return told(typed, match.slice(1));
  }
  const text = message.replace(/^error: /, "");
  return new UsageError(
    `Cannot run ${typed.name}: ${inert(text)}`,
    helpHint(typed),
  );
}

type Teller = (typed: Typed, parts: readonly string[]) => UsageError;

/** The parser's messages, and what tc says instead. */
const REFUSALS: readonly (readonly [RegExp, Teller])[] = [
  [
    /too many arguments for '[\w-]+'\. Expected (\d+) arguments? but got (\d+)/,
    tooMany,
  ],
  [/missing required argument '([^']+)'/, missing],
  [/option '([^']+)' argument missing/, noValue],
  [/unknown option '([^']+)'/, unknownOption],
  [/unknown command '([^']+)'/, unknownChild],
  [/option '([^']+)' argument '([^']*)' is invalid\.? ?(.*)/, badValue],
  [
    /argument value '([^']*)' is invalid for argument '([^']+)'\.? ?(.*)/,
    (typed, [value = "", name = "", why = ""]) =>
      badValue(typed, [`<${name}>`, value, why]),
  ],
];

function helpHint({ name }: Typed): string {
  return `${name} --help   shows what it takes`;
}

function tooMany(
  typed: Typed,
  [most = "0", given = "1"]: readonly string[],
): UsageError {
  // A group that does something by itself as well, such as tc config.
  if (most === "0" && typed.node.commands.length > 0 && typed.word !== "") {
    return unknownChild(typed, [typed.word]);
  }
  const takes = most === "0"
    ? "no argument"
    : `${most} argument${most === "1" ? "" : "s"}`;
  return new UsageError(
    `Cannot run ${typed.name}: it takes ${takes}; you gave ${given}`,
    helpHint(typed),
  );
}

function missing(typed: Typed, [name = ""]: readonly string[]): UsageError {
  const all = typed.node.arguments.map((one) => `<${one.name}>`).join(" ");
  return new UsageError(
    `Cannot run ${typed.name}: it needs <${name}>`,
    `${typed.name} ${all}`.trimEnd(),
  );
}

function noValue(typed: Typed, [flags = ""]: readonly string[]): UsageError {
  return new UsageError(
    `Cannot run ${typed.name}: ${flags} needs a value`,
    helpHint(typed),
  );
}

function unknownOption(
  typed: Typed,
  [text = ""]: readonly string[],
): UsageError {
  const [word = ""] = text.split("=");
  const own = typed.node.options.flatMap(({ flags }) =>
    flags.match(/--?[\w-]+/g) ?? []
  );
  if (text.includes("=") && own.includes(word)) {
    return new UsageError(
      `Cannot use ${inert(text)}: ${word} takes no value`,
      helpHint(typed),
    );
  }
  const near = nearest(word, own.filter((one) => one.startsWith("--")));
  return new UsageError(
    `Cannot use ${inert(text)}: ${typed.name} has no such option`,
    near === null ? helpHint(typed) : `${near}   is the nearest`,
  );
}

function unknownChild(
  typed: Typed,
  [word = ""]: readonly string[],
): UsageError {
  const near = nearest(word, typed.node.commands.map(({ name }) => name));
  return new UsageError(
    `Cannot find ${typed.name} ${inert(word)}`,
    near === null
      ? `${typed.name} --help   lists its commands`
      : `${typed.name} ${near}   is the nearest`,
  );
}

function badValue(
  typed: Typed,
  [flags = "", value = "", why = ""]: readonly string[],
): UsageError {
  const told = why.replace(
    /^Allowed choices are (.*)\.$/,
    "it must be one of $1",
  );
  const reason = told === "" ? "" : `: ${inert(told)}`;
  return new UsageError(
    `Cannot use ${inert(value)} for ${flags}${reason}`,
    helpHint(typed),
  );
}
