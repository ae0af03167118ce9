/**
 * Claude Code's settings files, as far as they decide where its requests go. A
 * variable in their `env` outranks the process environment (measured with
 * claude-code 2.1.329 and 2.1.332), so a launch must know them.
 *
 * @module
 */

import { isAbsolute, join } from "node:path";

/** One source of settings; a later layer outranks an earlier one. */
export interface SettingsLayer {
  /** The file, or `--settings`, for messages. */
  readonly source: string;
  /**
   * Whether an administrator fixed these settings, so that nothing outranks
   * them.
   */
  readonly isManaged: boolean;
  /** The variables that the layer sets. */
  readonly env: Readonly<Record<string, string>>;
  /** The model of the layer, or null. */
  readonly model: string | null;
  /** The program of the layer that supplies API keys (`apiKeyHelper`), or null. */
  readonly keyHelper: string | null;
}

/** Where the layers are searched. */
interface SettingsPlaces {
  /** `settings.json` of the user. */
  readonly userFile: string;
  /** The folder in which Claude Code starts. */
  readonly folder: string;
  /** Folders of administrators, see {@linkcode managedFolders}. */
  readonly managed: readonly string[];
  /** The arguments of Claude Code, which may hold `--settings`. */
  readonly args: readonly string[];
}

/** Returns the folders of `managed-settings.json` by operating system. */
export function managedFolders(system: string): readonly string[] {
  switch (system) {
    case "windows":
      return ["C:\\Program Files\\ClaudeCode", "C:\\ProgramData\\ClaudeCode"];
    case "darwin":
      return ["/Library/Application Support/ClaudeCode"];
    default:
      return ["/etc/claude-code"];
  }
}

/**
 * Reads every layer, lowest precedence first: user, project, local,
 * `--settings`, managed. A file that Claude Code ignores, because it is missing
 * or is not JSON, is left out.
 */
export function readSettings(places: SettingsPlaces): readonly SettingsLayer[] {
  const { userFile, folder, managed, args } = places;
  const files = [
    userFile,
    join(folder, ".claude", "settings.json"),
    join(folder, ".claude", "settings.local.json"),
  ];
  return [
    ...new Set(files),
  ].flatMap((file) => layerOf(file, readText(file), false)).concat(
    settingsArguments(args).flatMap((value) =>
      layerOf("--settings", argumentText(value, folder), false)
    ),
    managed.flatMap(managedFiles).flatMap((file) =>
      layerOf(file, readText(file), true)
    ),
  );
}

/** Returns the values of `--settings`, in order, up to a `--`. */
function settingsArguments(args: readonly string[]): readonly string[] {
  const end = args.indexOf("--");
  const options = end === -1 ? args : args.slice(0, end);
  return options.flatMap((word, index) => {
    if (word === "--settings") return options.slice(index + 1, index + 2);
    return word.startsWith("--settings=")
      ? [word.slice("--settings=".length)]
      : [];
  });
}

/** `--settings` takes JSON or the path of a file. */
function argumentText(value: string, folder: string): string | null {
  if (value.trimStart().startsWith("{")) return value;
  return readText(isAbsolute(value) ? value : join(folder, value));
}

function managedFiles(folder: string): readonly string[] {
  const dropIns = join(folder, "managed-settings.d");
  return [
    join(folder, "managed-settings.json"),
    ...namesIn(dropIns).filter((name) => name.endsWith(".json")).toSorted()
      .map((name) => join(dropIns, name)),
  ];
}

function namesIn(folder: string): readonly string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    // Most machines have no such folder.
    return [];
  }
}

function readText(file: string): string | null {
  try {
    return Deno.statSync(file).isFile ? Deno.readTextFileSync(file) : null;
  } catch {
    // Claude Code ignores a file that it cannot read.
    return null;
  }
}

function layerOf(
  source: string,
  text: string | null,
  isManaged: boolean,
): readonly SettingsLayer[] {
  const settings = text === null ? null : objectIn(text);
  if (settings === null) return [];
  const { env, model, apiKeyHelper } = settings;
  return [{
    source,
    isManaged,
    env: stringsIn(env),
    model: typeof model === "string" && model !== "" ? model : null,
    keyHelper: typeof apiKeyHelper === "string" && apiKeyHelper.trim() !== ""
      ? apiKeyHelper
      : null,
  }];
}

/**
 * Returns the JSON object in `text`, or null. Claude Code reads strict JSON and
 * ignores a byte order mark.
 */
export function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ""));
    return typeof value === "object" && value !== null
      ? value as Record<string, unknown>
      : null;
  } catch {
    return null;
  }
}

/**
 * Numbers and booleans count as well, because the client turns them into text.
 */
function stringsIn(env: unknown): Readonly<Record<string, string>> {
  if (typeof env !== "object" || env === null) return {};
  return Object.fromEntries(
    Object.entries(env).filter(([, value]) =>
      ["string", "number", "boolean"].includes(typeof value)
    ).map(([name, value]) => [name, String(value)]),
  );
}
