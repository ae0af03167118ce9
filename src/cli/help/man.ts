/**
 * `tc man`: the manual page, made from the command tree.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { buildInfo } from "../../release/version.ts";
import { EXIT, EXIT_WORDS } from "../../errors.ts";
import { hintText, MANUAL_SHELL } from "../../shell_words.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

const TEXT: CommandText = {
  name: "man",
  group: "more",
  summary: "Print the manual page",
  examples: [
    ({ system }) => system === "windows" ? "tc man" : "tc man | man -l -",
    ({ system }) =>
      `tc man >${system === "windows" ? "" : "~/.local/share/man/man1/"}tc.1`,
  ],
  schema: null,
};

export function registerMan(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .action(registry.run(() => {
      const { output } = new Shell(registry, {});
      const page = manPage(program, registry.texts, buildInfo());
      // A person reads it; a program gets the source of the page.
      output.raw(output.isTerminal ? readablePage(page, output.width) : page);
      return EXIT.ok;
    }));
}

const FILES: readonly (readonly [string, string])[] = [
  ["~/.config/tc/config.json", "Settings, to be edited by hand; no secrets."],
  ["~/.config/tc/vault/", "Credentials, encrypted, one file per account."],
  ["~/.config/tc/key", "The local key that clients show."],
  [
    "~/.local/state/tc/",
    "Log, history and socket; no login is lost with them.",
  ],
];

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ["TC_CONFIG", "Another config file, and with it a separate pool."],
  ["TC_<SETTING>", "Any setting: TC_PROXY_PORT for proxy.port."],
  ["XDG_CONFIG_HOME, XDG_STATE_HOME", "Other places for the folders above."],
  ["HTTPS_PROXY, NO_PROXY", "Corporate proxy for outgoing requests."],
  ["NO_COLOR, FORCE_COLOR", "Colour off, colour on."],
  ["TC_NO_UPDATE_CHECK", "Do not check for a newer release."],
  ["TC_DEBUG", "Print the stack of errors."],
];

/** Returns the page as roff, with `date` and `version` in its header. */
export function manPage(
  program: Command,
  texts: ReadonlyMap<string, CommandText>,
  { version, date }: { readonly version: string; readonly date: string },
): string {
  return [
    `.TH TC 1 "${plain(date)}" "tc ${plain(version)}" "User Commands"`,
    ".SH NAME",
    "tc \\- all your Claude accounts behind one local address",
    ".SH SYNOPSIS",
    ".B tc",
    ".RI [ command ]",
    ".RI [ options ]",
    ".SH DESCRIPTION",
    "tc lets you use all the Claude accounts and API keys that you own from",
    "Claude Code as if they were one.",
    "Pooling subscriptions is contested under the provider's terms: accounts",
    "can be lost, API keys are the sanctioned path, and the choice is yours.",
    ".SH COMMANDS",
    ...[...texts.values()].flatMap((text) => {
      const command = shownChildren(program).find((child) =>
        child.name() === text.name
      );
      return command === undefined ? [] : [
        `.SS "tc ${text.name}"`,
        `${plain(text.summary)}.`,
        ...optionLines(command),
        ...shownChildren(command).filter((child) => child.name() !== "help")
          .flatMap((child) => [
            ".TP",
            `.B ${plain(`tc ${text.name} ${child.name()}`)}`,
            `${plain(child.description())}.`,
          ]),
        ".PP",
        "Examples:",
        ".PP",
        ".nf",
        ...text.examples.map((example) =>
          `    ${plain(hintText(example, MANUAL_SHELL))}`
        ),
        ".fi",
      ];
    }),
    ".SH EXIT STATUS",
    ...rows(
      Object.entries(EXIT_WORDS).map(([name, words]) => [
        String(EXIT[name as keyof typeof EXIT]),
        `${words}.`,
      ]),
    ),
    ".SH FILES",
    ...rows(FILES),
    ".SH ENVIRONMENT",
    ...rows(ENVIRONMENT),
    "",
  ].join("\n");
}

function optionLines(command: Command): readonly string[] {
  return command.options.filter(({ hidden }) => !hidden)
    .flatMap(({ flags, description }) => [
      ".TP",
      `.B ${plain(flags)}`,
      `${plain(description)}.`,
    ]);
}

function rows(
  pairs: readonly (readonly [term: string, text: string])[],
): readonly string[] {
  return pairs.flatMap(([term, text]) => [
    ".TP",
    `.B ${plain(term)}`,
    plain(text),
  ]);
}

const INDENT = 7;
/** Wider lines are hard to read. */
const WIDTH_MAX = 100;

/** Returns the page as text, as `man` shows it. */
export function readablePage(page: string, width: number): string {
  const columns = Math.min(width, WIDTH_MAX);
  const lines: string[] = [];
  let paragraph: string[] = [];
  let isLiteral = false;
  let indent = INDENT;
  function flush(): void {
    if (paragraph.length > 0) {
      lines.push(...wrapped(paragraph.join(" "), indent, columns));
    }
    paragraph = [];
  }
  for (const raw of page.split("\n")) {
    const [, macro = "", rest = ""] = /^(\.[A-Z]{1,2}|\.nf|\.fi)?\s?(.*)$/
      .exec(raw) ?? [];
    const text = shown(rest.replace(/^"(.*)"$/, "$1"));
    switch (macro) {
      case ".TH":
        break;
      case ".SH":
        flush();
        indent = INDENT;
        lines.push("", text);
        break;
      case ".SS":
        flush();
        indent = INDENT;
        lines.push("", `   ${text}`);
        break;
      case ".TP":
      case ".PP":
        flush();
        indent = INDENT;
        break;
      case ".nf":
      case ".fi":
        flush();
        isLiteral = macro === ".nf";
        break;
      case ".B":
        paragraph.push(text);
        if (text !== "tc") {
          flush();
          indent = 2 * INDENT;
        }
        break;
      case ".RI":
        paragraph.push(text.replaceAll(" ", ""));
        break;
      default:
        if (isLiteral) lines.push(`${" ".repeat(INDENT)}${text}`);
        else if (text !== "") paragraph.push(text);
    }
  }
  flush();
  return `${lines.join("\n").trimStart()}\n`;
}

/** Returns roff text as it is read. */
function shown(text: string): string {
  return text.replace(/^\\&/, "").replaceAll("\\-", "-").replaceAll(
    "\\e",
    "\\",
  );
}

function wrapped(
  text: string,
  indent: number,
  columns: number,
): readonly string[] {
  const room = Math.max(20, columns - indent);
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => `${" ".repeat(indent)}${each}`);
}

/** Returns text that roff prints literally. */
function plain(text: string): string {
  const escaped = text.replaceAll("\\", "\\e").replaceAll("-", "\\-");
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

/** Returns the commands below `command` that are not hidden. */
function shownChildren(command: Command): readonly Command[] {
  return command.createHelp().visibleCommands(
    // deno-lint-ignore no-explicit-any -- commander types its help with its own Command
    command as any,
  ) as unknown as readonly Command[];
}
