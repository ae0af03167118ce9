/**
 * `tc statusline install` and `tc statusline uninstall`. The line itself is
 * printed by `statusline_run.ts`, which loads nothing of the command tree.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { helperCommand } from "../../claude/api_key_helper.ts";
import { claudeFolder } from "../../claude/claude_folder.ts";
import {
  commandSetting,
  isOurStatusline,
  statuslineOf,
  withStatusline,
} from "../../claude/statusline_setting.ts";
import { EXIT } from "../../errors.ts";
import { ensurePrivateFolder, writeAtomic } from "../../store/files/atomic.ts";
import { ForeignTexts } from "../../store/files/foreign_text.ts";
import { lastingCommand } from "../../system/own_command.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { commandOf, keptFile, readKept } from "./statusline_wrapped.ts";

const TEXT: CommandText = {
  name: "statusline",
  group: "look",
  summary: "Print one line for Claude Code's status bar, or install it there",
  examples: ["tc statusline install", "tc statusline uninstall"],
  schema: "tc.statusline/v1",
};

export function registerStatusline(program: Command, registry: Registry): void {
  const command = addCommand(program, registry, TEXT)
    .option("--wrap", "Also print the line that was there before")
    // Without a subcommand start.ts has answered it before.
    .action(() => command.help());
  command.command("install")
    .description("Put tc's line into Claude Code's status bar")
    .option("--json", "Print one JSON object")
    .action(
      registry.run((options) => install(new Shell(registry, options))),
    );
  command.command("uninstall")
    .description("Put back what was there before")
    .option("--json", "Print one JSON object")
    .action(
      registry.run((options) => uninstall(new Shell(registry, options))),
    );
}

function settingsFileOf({ environment, system }: Shell): string {
  return claudeFolder({ environment, system, userName: null }).settingsFile;
}

/** Returns the command line that prints tc's line. */
function commandOfWords(
  { system }: Shell,
  ...options: readonly string[]
): string {
  return helperCommand(
    lastingCommand(["statusline", ...options], system),
    system,
  );
}

/** Stores the old line before it is replaced, so that no crash loses it. */
async function install(shell: Shell): Promise<number> {
  const file = settingsFileOf(shell);
  const texts = new ForeignTexts();
  let before: unknown = null;
  await texts.edit(file, (document) => {
    before = statuslineOf(document);
    return document;
  });
  const kept = isOurStatusline(before, commandOfWords(shell))
    ? readKept(shell.paths)[file] ?? null
    : before;
  await note(shell, file, kept);
  const command = commandOf(kept) === null
    ? commandOfWords(shell)
    : commandOfWords(shell, "--wrap");
  await texts.edit(
    file,
    (document) => withStatusline(document, commandSetting(command)),
  );
  const word = commandOf(kept) === null ? "alone" : "after the line you had";
  told(shell, { file, command, before: kept }, `Installed, ${word}`);
  return EXIT.ok;
}

async function uninstall(shell: Shell): Promise<number> {
  const file = settingsFileOf(shell);
  const texts = new ForeignTexts();
  const kept = readKept(shell.paths)[file] ?? null;
  let isOurs = false;
  await texts.edit(file, (document) => {
    isOurs = isOurStatusline(statuslineOf(document), commandOfWords(shell));
    return isOurs ? withStatusline(document, kept) : document;
  });
  if (isOurs) await note(shell, file, null);
  const word = !isOurs
    ? "Nothing to do: no status line of tc is there"
    : kept === null
    ? "Removed"
    : "Removed; the line you had is back";
  told(shell, { file, command: null, before: kept }, word);
  return EXIT.ok;
}

async function note(
  { paths }: Shell,
  file: string,
  setting: unknown,
): Promise<void> {
  const { [file]: _old, ...others } = readKept(paths);
  const next = setting === null ? others : { ...others, [file]: setting };
  await ensurePrivateFolder(paths.secretsFolder);
  const text = `${JSON.stringify(next, null, 2)}\n`;
  await writeAtomic(keptFile(paths), new TextEncoder().encode(text));
}

interface Told {
  readonly file: string;
  readonly command: string | null;
  readonly before: unknown;
}

function told({ output }: Shell, facts: Told, words: string): void {
  if (output.isJson) output.json({ schema: "tc.statusline/v1", ...facts });
  else output.line(`${words}: ${facts.file}`);
}
