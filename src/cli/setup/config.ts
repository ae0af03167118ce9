/**
 * `tc config path`, `show`, `get`, `set` and `unset`.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { systemClock, systemEntropy } from "../../system/clock.ts";
import {
  checkSections,
  checkSetting,
  configOf,
  fromText,
  lookUp,
  withSetting,
} from "../../config/config.ts";
import { configSchema, SCHEMA_FILE } from "../../config/json_schema.ts";
import {
  isFixed,
  isRetired,
  retiredText,
  type SettingRow,
  settingRows,
} from "../../config/settings.ts";
import { dirname, join } from "node:path";
import { EXIT, TcError, UsageError } from "../../errors.ts";
import { writeAtomic } from "../../store/files/atomic.ts";
import {
  type ConfigDocument,
  editConfig,
  readConfig,
} from "../../store/config_file.ts";
import { nearest } from "../../core/nearest.ts";
import { askSetting } from "./ask_setting.ts";
import { routeFaults } from "../../core/route/project_route.ts";
import { inert } from "../../core/plain_text.ts";
import { storedAccounts, tellServer } from "../accounts/account_work.ts";
import { durationText } from "../../control/words.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { notifyProgramFault } from "./notify_program.ts";

/** Columns of a setting's sentence. */
const WIDTH = 70;

const TEXT: CommandText = {
  name: "config",
  group: "more",
  summary: "Show and change the settings, and where each comes from",
  examples: [
    "tc config",
    "tc config show --all",
    "tc config get proxy.port",
    "tc config set proxy.port 3460",
    "tc config unset proxy.port",
    "tc config path --all",
  ],
  schema: "tc.config/v1",
};

export function registerConfig(program: Command, registry: Registry): void {
  const config = addCommand(program, registry, TEXT);
  config.command("path")
    .description("Print the path of the settings file")
    .option("--all", "Also print the folders of secrets and state")
    .option("--json", "Print one JSON object")
    .action(
      registry.run((options) =>
        showPaths(new Shell(registry, options), options)
      ),
    );
  config.command("schema")
    .description("Print the JSON schema of the settings, for editors")
    .action(registry.run((options) => {
      const { output } = new Shell(registry, options);
      output.raw(schemaText());
      return EXIT.ok;
    }));
  config.command("show")
    .description("Print the settings that people change, all, or one of them")
    .argument("[key]", "A setting, for example proxy.port")
    .option("--all", "Also print the settings for special cases")
    .option("--json", "Print one JSON object (always with all settings)")
    .option("--origin", "Also print where each value comes from")
    .action(registry.run((key, options) => {
      const shell = new Shell(registry, options);
      return showSettings(shell, key ?? null, {
        isAll: options.all ?? false,
        hasOrigin: options.origin ?? false,
      });
    }));
  registerEdits(config as unknown as Command, registry);
  config.action(registry.run((options) => {
    const shell = new Shell(registry, options);
    if (shell.mayAsk && !shell.output.isJson) return walkSettings(shell);
    return showSettings(shell, null, { isAll: false, hasOrigin: false });
  }));
}

function schemaText(): string {
  return `${JSON.stringify(configSchema(), null, 2)}\n`;
}

/** Lets the user choose settings and change them, one after another. */
async function walkSettings(shell: Shell): Promise<number> {
  for (;;) {
    const { config } = new Shell(shell, {});
    const choice = await askSetting(config);
    if (choice === null) return EXIT.ok;
    await change(shell, choice.key, choice.text);
  }
}

/** Returns a value as a person types it. */
function plainText(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function registerEdits(
  config: Command,
  registry: Registry,
): void {
  config.command("get")
    .description("Print the value of one setting")
    .argument("<key>", "A setting, for example proxy.port")
    .option("--json", "Print one JSON object")
    .action(registry.run((key, options) => {
      const { output, config } = new Shell(registry, options);
      const { key: known } = settingRow(key);
      const value = shown(known, lookUp(config.settings, known));
      const origin = config.origins.get(known) ?? "default";
      if (output.isJson) {
        output.json({ schema: "tc.setting/v1", key: known, value, origin });
      } else output.line(plainText(value));
      return EXIT.ok;
    }));
  config.command("set")
    .description("Write one setting; the rest of the file stays as it is")
    .argument("<key>", "A setting, for example proxy.port")
    .argument("<value>", "Its value")
    .option("--json", "Print one JSON object")
    .action(
      registry.run((key, value, options) =>
        change(new Shell(registry, options), key, value)
      ),
    );
  config.command("unset")
    .description("Reset one setting to its default")
    .argument("<key>", "A setting, for example proxy.port")
    .option("--json", "Print one JSON object")
    .action(
      registry.run((key, options) =>
        change(new Shell(registry, options), key, null)
      ),
    );
}

/** Writes `text` as the value of `key`; null removes the setting. */
async function change(
  shell: Shell,
  key: string,
  text: string | null,
): Promise<number> {
  const { output, paths } = shell;
  if (text === null && isRetired(key)) return await removeRetired(shell, key);
  const row = settingRow(key);
  const value = text === null ? undefined : fromText(row, text);
  if (value !== undefined) checkSetting(key, value, paths.configFile);
  const isNew = await readConfig(paths.configFile) === null;
  await editConfig(
    paths.configFile,
    (document) =>
      checked(
        document,
        withSetting(isNew ? withSchema(document) : document, key, value),
        shell,
      ),
    { clock: systemClock, entropy: systemEntropy },
  );
  if (isNew) await writeSchema(paths.configFile);
  const isRunning = await tellServer(new Shell(shell, {}));
  if (output.isJson) {
    output.json({
      schema: "tc.setting/v1",
      key,
      value: shown(key, value ?? row.fallback),
      origin: value === undefined ? "default" : "file",
    });
  } else {
    const now = shown(key, value ?? row.fallback);
    output.line(`${key} = ${amountText(now, null)}`);
  }
  if (key === "routes") await warnOfRoutes(new Shell(shell, {}));
  if (key === "notify.command") warnOfProgram(shell, String(value ?? ""));
  const variable = shell.environment[row.variable];
  if (variable) output.say(`${row.variable} is set and overrides the file`);
  if (isRunning) {
    output.say(
      isFixed(key)
        ? "Takes effect after tc restart"
        : "The running server uses it now",
    );
  }
  return EXIT.ok;
}

/** Says which rules by project name no account of the pool. */
async function warnOfRoutes(shell: Shell): Promise<void> {
  const { accounts } = await storedAccounts(shell);
  const known = accounts.map(({ account }) => account);
  for (const { text } of routeFaults(shell.config.routes, known)) {
    shell.output.say(`warning: ${inert(text)}`);
  }
}

/** Says what is wrong with the program for notices. */
function warnOfProgram(
  { output, environment, system }: Shell,
  command: string,
) {
  const fault = command === "" ? null : notifyProgramFault(command, {
    path: environment["PATH"] ?? "",
    system,
    extensions: environment["PATHEXT"] ?? "",
  });
  if (fault !== null) output.say(`warning: ${inert(command)} ${fault}`);
}

/** Removes the line of a setting that has no effect any more. */
async function removeRetired(
  { output, paths }: Shell,
  key: string,
): Promise<number> {
  await editConfig(
    paths.configFile,
    (document) => withSetting(document, key, undefined),
    { clock: systemClock, entropy: systemEntropy },
  );
  output.line(`${key} is removed: ${retiredText(key)}`);
  return EXIT.ok;
}

/** Returns a new config with the line by which editors find its schema. */
function withSchema(document: ConfigDocument): ConfigDocument {
  return { $schema: `./${SCHEMA_FILE}`, ...document };
}

/** Writes the schema beside a new config; an editor without it still works. */
async function writeSchema(configFile: string): Promise<void> {
  const file = join(dirname(configFile), SCHEMA_FILE);
  try {
    await writeAtomic(file, new TextEncoder().encode(schemaText()));
  } catch (cause) {
    if (!(cause instanceof TcError)) throw cause;
  }
}

/**
 * Returns `after` if the config reader accepts it: `tc config set` must never
 * lock the user out. A file that was broken before may be repaired key by key.
 */
function checked(
  before: ConfigDocument,
  after: ConfigDocument,
  { paths }: Shell,
): ConfigDocument {
  const sources = { file: paths.configFile, environment: {}, flags: {} };
  try {
    configOf(before, sources);
  } catch {
    checkSections(after, paths.configFile);
    return after;
  }
  configOf(after, sources);
  return after;
}

function settingRow(key: string): SettingRow {
  const row = settingRows().find((candidate) => candidate.key === key);
  if (row !== undefined) return row;
  throw new UsageError(
    `Cannot find ${key}: ${
      isRetired(key) ? retiredText(key) : "there is no such setting"
    }`,
    near(key),
  );
}

/** Returns the hint for a setting that does not exist. */
function near(key: string): string {
  if (isRetired(key)) return "tc config show --all   lists the settings";
  const known = nearest(key, settingRows().map((row) => row.key));
  return known === null
    ? "tc config show --all   lists them"
    : `${known} is the nearest; tc config show --all lists all`;
}

function showPaths(
  { output, paths }: Shell,
  { all }: { readonly all?: boolean | undefined },
): number {
  if (output.isJson) output.json({ schema: "tc.paths/v1", ...paths });
  else if (!all) output.line(paths.configFile);
  else {
    output.line(`settings  ${paths.configFile}`);
    output.line(`secrets   ${paths.secretsFolder}`);
    output.line(`state     ${paths.stateFolder}`);
  }
  return EXIT.ok;
}

function showSettings(
  { output, config }: Shell,
  key: string | null,
  { isAll, hasOrigin }: {
    readonly isAll: boolean;
    readonly hasOrigin: boolean;
  },
): number {
  const rows = settingRows().filter((row) =>
    key === null || row.key === key || row.key.startsWith(`${key}.`)
  );
  if (rows.length === 0) {
    throw new UsageError(
      `Cannot show ${key}: ${
        isRetired(key ?? "")
          ? retiredText(key ?? "")
          : "there is no such setting"
      }`,
      near(key ?? ""),
    );
  }
  const values = rows.map((row) => ({
    key: row.key,
    value: shown(row.key, lookUp(config.settings, row.key)),
    unit: row.unit,
    allowed: row.allowed,
    origin: config.origins.get(row.key) ?? "default",
    help: row.help,
    variable: row.variable,
    isCommon: row.isCommon,
  }));
  if (output.isJson) {
    output.json({
      schema: "tc.config/v1",
      file: config.file,
      settings: values,
    });
    return EXIT.ok;
  }
  // A changed setting is listed even if it is not a common one.
  const listed = values.filter(({ isCommon, origin }) =>
    isAll || key !== null || isCommon || origin !== "default"
  );
  for (const { key, value, unit, allowed, origin, help } of listed) {
    const amount = amountText(value, unit);
    const source = hasOrigin || origin !== "default" ? `  (${origin})` : "";
    output.line(
      `${output.paint("strong", key)} = ${amount}${
        output.paint("dim", source)
      }`,
    );
    const range = allowed === "a text" ? "" : ` It is ${allowed}.`;
    for (const line of wrapped(`${help}.${range}`)) {
      output.line(output.paint("dim", `  ${line}`));
    }
  }
  const hidden = values.length - listed.length;
  if (hidden > 0) {
    const more = `${hidden} more for special cases: tc config show --all`;
    output.line(output.paint("dim", more));
  }
  return EXIT.ok;
}

/** Returns a value with its unit, and a long time in larger units as well. */
function amountText(value: unknown, unit: string | null): string {
  if (value === "") return "-";
  const text = plainText(value);
  if (unit === null) return text;
  const isLong = unit === "ms" && typeof value === "number" && value >= 1_000;
  return `${text} ${unit}${isLong ? ` (${durationText(value)})` : ""}`;
}

/** Returns `text` in lines that fit a narrow terminal. */
function wrapped(text: string): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= WIDTH) {
      lines.push(word);
    } else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

function shown(key: string, value: unknown): unknown {
  const isSecret = settingRows().some((row) => row.key === key && row.isSecret);
  return isSecret && value !== "" ? "[set]" : value;
}
