/**
 * `tc plugin`: installs the Claude Code plugin through Claude Code itself.
 *
 * @module
 */

import { claudeCommand } from "../launch/claude_program.ts";
import { dirname, join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { systemRunner } from "../../system/command_runner.ts";
import { buildInfo } from "../../release/version.ts";
import { helperCommand } from "../../claude/api_key_helper.ts";
import { claudeFolder } from "../../claude/claude_folder.ts";
import type { HookName } from "../../claude/hook_input.ts";
import { findProgram } from "../../claude/launch.ts";
import type { ProgramCommand } from "../../claude/npm_shim.ts";
import {
  hookLine,
  MARKETPLACE,
  pathCommand,
  PLUGIN,
  pluginFiles,
} from "../../claude/plugin.ts";
import { ForeignTexts } from "../../store/files/foreign_text.ts";
import { isSameFile } from "../doctor/programs.ts";
import { folderFacts } from "../login/login_stores.ts";
import { EXIT, TcError } from "../../errors.ts";
import { lastingCommand } from "../../system/own_command.ts";
import { isThere } from "../../system/paths.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

const CLAUDE_MS_MAX = 120_000;
const NAME = `${PLUGIN}@${MARKETPLACE}`;

const TEXT: CommandText = {
  name: "plugin",
  group: "more",
  summary: "Install or remove the Claude Code plugin and its hooks",
  examples: ["tc plugin install", "tc plugin uninstall"],
  schema: null,
};

export function registerPlugin(program: Command, registry: Registry): void {
  const plugin = addCommand(program, registry, TEXT);
  plugin.command("install")
    .description("Install the plugin into Claude Code, for this program")
    .option("--dry-run", "Print what would be done")
    .action(registry.run((options) => {
      return install(
        new Shell(registry, {}),
        options.dryRun ?? false,
      );
    }));
  plugin.command("uninstall")
    .description("Take the plugin out of Claude Code")
    .action(registry.run(() => uninstall(new Shell(registry, {}))));
}

function folderOf(shell: Shell): string {
  return join(shell.paths.secretsFolder, "plugin");
}

async function install(shell: Shell, isDry: boolean): Promise<number> {
  const folder = folderOf(shell);
  const { output } = shell;
  const files = pluginFiles({
    version: buildInfo().version,
    command: (hook) => hookCommand(hook, shell),
  });
  const steps = [
    ["plugin", "marketplace", "add", folder],
    ["plugin", "install", NAME],
  ];
  if (isDry) {
    for (const path of Object.keys(files)) {
      output.line(`write ${join(folder, path)}`);
    }
    for (const step of steps) output.line(`run   claude ${step.join(" ")}`);
    return EXIT.ok;
  }
  const claude = claudeCommand(shell);
  for (const [path, text] of Object.entries(files)) {
    const file = join(folder, path);
    await Deno.mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await Deno.writeTextFile(file, text, { mode: 0o600 });
  }
  for (const step of steps) await run(claude, step);
  output.line(`Installed ${NAME}. Running sessions pick it up immediately.`);
  output.say("Run tc swap auto to let its hooks switch logins");
  return EXIT.ok;
}

/** Returns the hook's command; the short name `tc` if that is this program. */
function hookCommand(hook: HookName, { system }: Shell): string {
  const words = lastingCommand(["hook", hook], system);
  const [program = ""] = words;
  const found = findProgram("tc", {
    path: Deno.env.get("PATH") ?? "",
    system,
    extensions: ".exe",
  });
  const isOnPath = Deno.build.standalone && found !== null &&
    isSameFile(found, program);
  return isOnPath
    ? pathCommand(hook)
    : hookLine(hook, helperCommand(words, system));
}

async function uninstall(shell: Shell): Promise<number> {
  // Without tc's own folder the plugin was never installed, and Claude Code
  // need not be there to be asked.
  if (!isThere(folderOf(shell))) {
    shell.output.line(`Nothing to do: ${NAME} is not installed.`);
    return EXIT.ok;
  }
  const claude = claudeCommand(shell);
  await run(claude, ["plugin", "uninstall", NAME]);
  await run(claude, ["plugin", "marketplace", "remove", MARKETPLACE]);
  await removeEmptyKeys(claudeFolder(folderFacts(shell)).settingsFile);
  await Deno.remove(folderOf(shell), { recursive: true }).catch((cause) => {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  });
  shell.output.line(`Removed ${NAME}.`);
  return EXIT.ok;
}

/** Removes empty objects that the client leaves behind. */
async function removeEmptyKeys(settingsFile: string): Promise<void> {
  const texts = new ForeignTexts();
  if (await texts.read(settingsFile) === null) return;
  await texts.edit(settingsFile, (document) =>
    Object.fromEntries(
      Object.entries(document).filter(([name, value]) =>
        !PLUGIN_KEYS.includes(name) || !isEmptyObject(value)
      ),
    ));
}

/** The keys of settings.json that an installation writes to. */
const PLUGIN_KEYS = ["enabledPlugins", "extraKnownMarketplaces"];

function isEmptyObject(value: unknown): boolean {
  return typeof value === "object" && value !== null &&
    Object.keys(value).length === 0;
}

async function run(
  [program, ...first]: ProgramCommand,
  args: readonly string[],
): Promise<void> {
  const outcome = await systemRunner.run(program, [...first, ...args], {
    stdin: "",
    timeoutMs: CLAUDE_MS_MAX,
  });
  if (outcome.kind === "exited" && outcome.code === 0) return;
  const reason = outcome.kind === "exited"
    ? outcome.stderr.trim() || outcome.stdout.trim() ||
      `it ended with ${outcome.code}`
    : outcome.kind === "missing"
    ? "it is not there"
    : "it did not end";
  throw new TcError(`Cannot run claude ${args.join(" ")}: ${reason}`, {
    code: "claude_failed",
    exitCode: EXIT.unavailable,
  });
}
