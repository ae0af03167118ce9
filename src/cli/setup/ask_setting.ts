/**
 * What `tc config` asks on a terminal: which setting to change, and its new
 * value.
 *
 * @module
 */

import {
  checkSetting,
  type Config,
  fromText,
  lookUp,
} from "../../config/config.ts";
import { type SettingRow, settingRows } from "../../config/settings.ts";
import { reasonOf } from "../../errors.ts";

/** A setting and its new value as typed; null resets it to its default. */
interface SettingChoice {
  readonly key: string;
  readonly text: string | null;
}

const DONE = "";
const DEFAULT = "\0";

/** Returns the user's choice, or null if there is none. */
export async function askSetting(
  config: Config,
): Promise<SettingChoice | null> {
  const { autocomplete, isCancel } = await import("@clack/prompts");
  const output = (await import("node:process")).stderr;
  const key = await autocomplete({
    message: "Which setting? Type to search",
    options: [
      { value: DONE, label: "Done" },
      ...settingRows().map((row) => ({
        value: row.key,
        label: `${row.key} = ${valueText(row, config)}`,
        hint: row.help,
      })),
    ],
    maxItems: 12,
    output,
  });
  const row = settingRows().find((candidate) => candidate.key === key);
  if (isCancel(key) || row === undefined) return null;
  const text = await askValue(row, config);
  if (text === null) return await askSetting(config);
  return { key: row.key, text: text === DEFAULT ? null : text };
}

/** Returns the value as typed, {@linkcode DEFAULT}, or null for "go back". */
async function askValue(
  row: SettingRow,
  config: Config,
): Promise<string | null> {
  const { isCancel, select, text } = await import("@clack/prompts");
  const output = (await import("node:process")).stderr;
  const message = `${row.key}: ${row.help}`;
  const fixed = choicesOf(row);
  const answer = fixed === null
    ? await text({
      message: `${message} (${row.allowed}; default ${defaultText(row)})`,
      initialValue: row.isSecret ? "" : valueText(row, config),
      output,
      validate: (typed) => faultOf(row, typed ?? "", config.file),
    })
    : await select({
      message,
      initialValue: valueText(row, config),
      output,
      options: [
        ...fixed.map((value) => ({ value, label: value })),
        { value: DEFAULT, label: `Reset to the default, ${defaultText(row)}` },
      ],
    });
  return isCancel(answer) ? null : String(answer);
}

function choicesOf(
  { fallback, allowed }: SettingRow,
): readonly string[] | null {
  if (typeof fallback === "boolean") return ["true", "false"];
  const listed = /^one of (.+)$/.exec(allowed)?.[1];
  return listed === undefined ? null : listed.split(", ");
}

/** Returns why `typed` cannot be the value, or undefined if it can. */
function faultOf(
  row: SettingRow,
  typed: string,
  file: string,
): string | undefined {
  try {
    checkSetting(row.key, fromText(row, typed), file);
    return undefined;
  } catch (cause) {
    return reasonOf(cause);
  }
}

function valueText(row: SettingRow, { settings }: Config): string {
  const value = lookUp(settings, row.key);
  if (row.isSecret && value !== "") return "[set]";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function defaultText({ fallback }: SettingRow): string {
  return fallback === "" ? "empty" : JSON.stringify(fallback);
}
