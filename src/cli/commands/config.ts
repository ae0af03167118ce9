/**
 * `tc config path` and `tc config show`.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { lookUp } from "../../app/config.ts";
import { settingRows } from "../../app/settings.ts";
import { EXIT, UsageError } from "../../errors.ts";
import { commandText } from "../command_table.ts";
import type { Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

/** Values that are never printed. */
const HIDDEN = ["proxy.apiKey"];

export function registerConfig(program: Command, registry: Registry): void {
  const config = program.command("config")
    .description(commandText("config").summary);
  config.command("path")
    .description("Print where the settings are")
    .option("--json", "Print one JSON object")
    .action(
      registry.run((options) =>
        showPaths(new Shell(registry.environment, options))
      ),
    );
  config.command("show")
    .description("Print the settings, or one of them")
    .argument("[key]", "A setting, for example proxy.port")
    .option("--json", "Print one JSON object")
    .option("--origin", "Say where each value comes from")
    .action(registry.run((key, options) => {
      const shell = new Shell(registry.environment, options);
      return showSettings(shell, key ?? null, options.origin ?? false);
    }));
}

function showPaths({ output, paths }: Shell): number {
  if (output.isJson) output.json({ schema: "tc.paths/v1", ...paths });
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
      "tc config show   lists them",
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
  return HIDDEN.includes(key) && value !== "" ? "[set]" : value;
}
