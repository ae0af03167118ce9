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
} from "../../config/config.ts";
import { configSchema, SCHEMA_FILE } from "../../config/json_schema.ts";
import {
  isFixed,
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
import { nearest } from "../help/nearest.ts";
import { askSetting } from "./ask_setting.ts";
import { tellServer } from "../accounts/account_work.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

const TEXT: CommandText = {
  name: "config",
  group: "more",
  summary: "Show and change the settings, and where each comes from",
  examples: [
    "tc config",
    "tc config show --origin",
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
    .description("Print the settings, or one of them")
    .argument("[key]", "A setting, for example proxy.port")
    .option("--json", "Print one JSON object")
    .option("--origin", "Also print where each value comes from")
    .action(registry.run((key, options) => {
      const shell = new Shell(registry, options);
      return showSettings(shell, key ?? null, options.origin ?? false);
    }));
  registerEdits(config as unknown as Command, registry);
  const group = config as unknown as Command;
  group.action(registry.run((options) => {
    const shell = new Shell(registry, options);
    if (shell.mayAsk && !shell.output.isJson) return walkSettings(shell);
    return group.help({ error: true });
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
      } else output.line(String(value));
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
  const row = settingRow(key);
  const value = text === null ? undefined : fromText(row, text);
  if (value !== undefined) checkSetting(key, value, paths.configFile);
  const isNew = await readConfig(paths.configFile) === null;
  await editConfig(
    paths.configFile,
    (document) =>
      checked(
        document,
        written(isNew ? withSchema(document) : document, key, value),
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
  } else output.line(`${key} = ${shown(key, value ?? row.fallback)}`);
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
    `Cannot find ${key}: there is no such setting`,
    near(key),
  );
}

/** Returns the hint for a setting that does not exist. */
function near(key: string): string {
  const known = nearest(key, settingRows().map((row) => row.key));
  return known === null
    ? "tc config show   lists them"
    : `${known} is the nearest; tc config show lists all`;
}

/**
 * Returns `document` with `value` at the dotted `key`; undefined removes it.
 */
function written(
  document: ConfigDocument,
  key: string,
  value: unknown,
): ConfigDocument {
  const [name = "", ...rest] = key.split(".");
  if (rest.length === 0) {
    const { [name]: _old, ...others } = document;
    return value === undefined ? others : { ...document, [name]: value };
  }
  const section = document[name] === undefined ? {} : document[name];
  if (
    typeof section !== "object" || section === null || Array.isArray(section)
  ) {
    // The check of the whole document reports what is wrong with it.
    return document;
  }
  const inner = section as ConfigDocument;
  return { ...document, [name]: written(inner, rest.join("."), value) };
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
  hasOrigin: boolean,
): number {
  const rows = settingRows().filter((row) => key === null || row.key === key);
  if (rows.length === 0) {
    throw new UsageError(
      `Cannot show ${key}: there is no such setting`,
      near(key ?? ""),
    );
  }
  const values = rows.map((row) => ({
    key: row.key,
    value: shown(row.key, lookUp(config.settings, row.key)),
    origin: config.origins.get(row.key) ?? "default",
    help: row.help,
    variable: row.variable,
  }));
  if (output.isJson) {
    output.json({
      schema: "tc.config/v1",
      file: config.file,
      settings: values,
    });
    return EXIT.ok;
  }
  const width = Math.max(...values.map((value) => value.key.length)) + 2;
  for (const { key, value, origin } of values) {
    const text = typeof value === "object"
      ? JSON.stringify(value)
      : String(value);
    const source = hasOrigin ? output.paint("dim", `  ${origin}`) : "";
    output.line(`${key.padEnd(width)}${text === "" ? "-" : text}${source}`);
  }
  return EXIT.ok;
}

function shown(key: string, value: unknown): unknown {
  const isSecret = settingRows().some((row) => row.key === key && row.isSecret);
  return isSecret && value !== "" ? "[set]" : value;
}
