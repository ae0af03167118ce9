/**
 * The root of the command line: it builds the command tree, runs one command,
 * and turns its error into a message and an exit code.
 *
 * @module
 */

import {
  Command,
  CommanderError,
  type CommandUnknownOpts,
  type Help,
} from "@commander-js/extra-typings";
import { inert } from "../control/words.ts";
import { EXIT, reasonOf, TcError, UsageError } from "../errors.ts";
import { fileError, systemCode } from "../store/files/file_target.ts";
import { personShell } from "../shell_words.ts";
import type { Host, System } from "../variables.ts";
import { versionText } from "../release/version.ts";
import { COMMAND_NAMES, commandsFor, isCommand } from "./commands.ts";
import { Output } from "./output.ts";
import { readEnvironment } from "./shell.ts";
import { helpText } from "./help/help.ts";
import { nearest } from "../core/nearest.ts";
import { parserError } from "./parser_errors.ts";
import { printTo } from "./print.ts";
import type { Registry } from "./registry.ts";

/** Runs one command line. Resolves to the exit code. */
export async function main(
  args: readonly string[],
  system: System,
): Promise<number> {
  const environment = readEnvironment(system);
  let exitCode: number = EXIT.ok;
  const registry: Registry = {
    environment,
    system,
    texts: new Map(),
    run: (action) => async (...given) => {
      exitCode = await action(...given);
    },
  };
  try {
    const [first, asked] = args;
    if (first === "help" && asked !== undefined && !isCommand(asked)) {
      throw unknownCommand(asked);
    }
    const tree = await commandTree(registry, args);
    await tree.parseAsync([...args], { from: "user" });
    return exitCode;
  } catch (cause) {
    if (cause instanceof CommanderError) {
      if (cause.exitCode === 0) return EXIT.ok;
      // A group without a command has printed its help already.
      if (cause.code === "commander.help") return EXIT.usage;
    }
    return fail(cause, args, registry);
  }
}

/** Returns the tree with the command that `args` name; the manual page's is whole. */
export async function commandTree(
  registry: Registry,
  args: readonly string[],
): Promise<Command> {
  const formatHelp = (command: Command, helper: Help) =>
    helpText(command, helper, {
      texts: registry.texts,
      person: personShell(registry.environment, registry.system),
    });
  const program = new Command("tc")
    .description("All your Claude accounts behind one local address")
    .version(versionText(), "-V, --version", "Print the version")
    .helpOption("-h, --help", "Print this help")
    .helpCommand("help [command]", "Print help of a command")
    .showHelpAfterError(false)
    .showSuggestionAfterError(true)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput(HELP_OUTPUT)
    .option("--json", "Print one JSON object")
    .option("--color <when>", "always, never or auto")
    .configureHelp({ formatHelp })
    .hook("preAction", handDown);
  // Without this an unknown command is reported as an excess argument.
  program.allowExcessArguments().action(
    registry.run(async (options, command) => {
      const [unknown] = command.args;
      if (unknown !== undefined) throw unknownCommand(unknown);
      const { overview } = await import("./status/overview.ts");
      return await overview(registry, options);
    }),
  );
  for (const register of await commandsFor(args)) register(program, registry);
  for (const command of program.commands) settle(command, formatHelp);
  return program;
}

/** Passes options before the command on to it: `tc --json accounts`. */
function handDown(
  program: CommandUnknownOpts,
  command: CommandUnknownOpts,
): void {
  for (const name of ["json", "color"]) {
    const value: unknown = program.getOptionValue(name);
    if (value === undefined || command.getOptionValue(name) !== undefined) {
      continue;
    }
    command.setOptionValue(name, value);
  }
}

/** Sets what applies to every command of the tree. */
function settle(
  command: { readonly commands: readonly unknown[] },
  formatHelp: (command: Command, helper: Help) => string,
): void {
  const plain = command as unknown as Command;
  plain.exitOverride().configureOutput(HELP_OUTPUT)
    .configureHelp({ formatHelp }).allowExcessArguments(false);
  for (const child of plain.commands) settle(child, formatHelp);
}

/** `fail` prints errors; a group without a command shows its help. */
const HELP_OUTPUT = {
  outputError: () => {},
  writeErr: printRaw,
  writeOut: printRaw,
} as const;

/** Names that people try, and the commands that do what they want. */
const MEANT: Readonly<Record<string, string>> = {
  add: "login",
  auth: "login",
  cost: "report",
  costs: "report",
  dashboard: "watch",
  delete: "remove",
  kill: "stop",
  limits: "status",
  list: "accounts",
  log: "logs",
  logout: "remove",
  ls: "accounts",
  ps: "status",
  quit: "stop",
  quota: "status",
  rm: "remove",
  serve: "server",
  settings: "config",
  start: "run",
  top: "watch",
  uninstall: "paths",
  update: "upgrade",
  usage: "report",
  use: "pin",
  whoami: "accounts",
  why: "explain",
};

function unknownCommand(name: string): UsageError {
  const meant = Object.hasOwn(MEANT, name) ? MEANT[name] : undefined;
  if (meant !== undefined) {
    return new UsageError(
      `Cannot find the command ${inert(name)}`,
      `tc ${meant}   does that; tc help lists all`,
    );
  }
  const near = nearest(name, COMMAND_NAMES);
  return new UsageError(
    `Cannot find the command ${inert(name)}`,
    near === null
      ? "tc help   lists the commands"
      : `tc ${near}   is the nearest; tc help lists all`,
  );
}

function printRaw(text: string): void {
  printTo(Deno.stdout, text);
}

function fail(
  cause: unknown,
  args: readonly string[],
  { environment, system }: Host,
): number {
  const output = new Output({
    environment,
    person: personShell(environment, system),
    color: null,
    isJson: args.includes("--json"),
    isTerminal: Deno.stdout.isTerminal(),
  });
  const error = asTcError(cause, args);
  output.error(error, Boolean(environment["TC_DEBUG"]));
  return error.exitCode;
}

function asTcError(cause: unknown, args: readonly string[]): TcError {
  if (cause instanceof TcError) return cause;
  if (cause instanceof CommanderError) {
    return parserError(cause.message, args);
  }
  const world = worldsFault(cause);
  if (world !== null) return world;
  const reason = reasonOf(cause);
  return new TcError(`Cannot go on: ${reason}`, {
    code: "unexpected",
    hint: "This is a bug in tc: please report it. TC_DEBUG=1 prints the stack.",
    cause,
  });
}

/**
 * Returns the error for what the system refused, which is not a bug of tc: a
 * full disk, a read-only home, another user's folder. Null for any other error.
 */
function worldsFault(cause: unknown): TcError | null {
  const isSystems = /^E(?!RR_)[A-Z0-9]+$/.test(systemCode(cause) ?? "");
  if (!isSystems || !(cause instanceof Error)) return null;
  const path = /: \w+ '([^']+)'/.exec(cause.message)?.[1];
  return fileError(path === undefined ? "go on" : `use ${path}`, cause);
}
