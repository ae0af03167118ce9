/**
 * Merges flags, environment, file and defaults into one frozen Config. A value
 * either works or is an error that names the file, the key and what is allowed.
 *
 * @module
 */

import * as v from "valibot";
import { inert } from "../core/plain_text.ts";
import { ConfigError } from "../errors.ts";
import { type ConfigDocument, parseConfig } from "../store/config_file.ts";
import type { PriceBook, PriceTable } from "../core/pricing.ts";
import type { ProjectRoute } from "../core/route/project_route.ts";
import { projectRoutes, routesTrouble } from "./project_routes.ts";
import type { Environment } from "../system/paths.ts";
import {
  isRetired,
  retiredText,
  type SettingRow,
  settingRows,
  SETTINGS,
  type Settings,
} from "./settings.ts";

/** The source of a setting's value. */
type Origin = "flag" | "env" | "file" | "default";

export interface Config {
  readonly file: string;
  readonly settings: Settings;
  /** The whole file as written; the store reads its `accounts[]`. */
  readonly document: ConfigDocument;
  /** The origin of each setting by its dotted key. */
  readonly origins: ReadonlyMap<string, Origin>;
  /**
   * Keys of the file that tc does not know; they are kept, and `tc doctor`
   * names them.
   */
  readonly unknownKeys: readonly string[];
  /** The rules by project, with `~` written out. */
  readonly routes: readonly ProjectRoute[];
  /** Keys of the file that were settings of an earlier version. */
  readonly retiredKeys: readonly string[];
  /** A price table that was loaded by `tc prices update`, or null. */
  readonly priceTable: PriceTable | null;
}

interface ConfigSources {
  readonly file: string;
  /** The text of the file, or null where there is none. */
  readonly text: string | null;
  readonly environment: Environment;
  /** Values by dotted key, as given on the command line. */
  readonly flags: Readonly<Record<string, unknown>>;
  /**
   * The table that `tc prices update` has loaded; null and undefined mean none.
   */
  readonly priceTable?: PriceTable | null;
}

/**
 * Returns the config. Throws ConfigError for the first value that cannot be
 * used.
 */
export function configFrom(sources: ConfigSources): Config {
  const document = sources.text === null
    ? {}
    : parseConfig(sources.text, sources.file);
  return configOf(document, sources);
}

/** Does as {@linkcode configFrom}, for a file that was read already. */
export function configOf(
  document: ConfigDocument,
  sources: Omit<ConfigSources, "text">,
): Config {
  checkSections(document, sources.file);
  const origins = new Map<string, Origin>();
  const merged: Record<string, unknown> = {};
  for (const row of settingRows()) {
    const [origin, value] = pick(row, document, sources);
    origins.set(row.key, origin);
    // Most values are defaults, which are checked once, below.
    if (origin !== "default") check(row, value, { origin, file: sources.file });
    write(merged, row.key, value);
  }
  const settings = v.parse(SETTINGS, merged);
  checkPlainHttp(settings, document, sources.file);
  return {
    file: sources.file,
    settings,
    document,
    origins,
    unknownKeys: unknownKeys(document).filter((key) => !isRetired(key)),
    routes: projectRoutes(
      settings.routes,
      sources.environment["HOME"] ?? sources.environment["USERPROFILE"] ?? null,
    ),
    retiredKeys: unknownKeys(document).filter(isRetired),
    priceTable: sources.priceTable ?? null,
  };
}

/**
 * Returns all prices: the user's own, a loaded table, and the built-in list.
 */
export function priceBook({ settings, priceTable }: Config): PriceBook {
  return { own: settings.pricing, table: priceTable };
}

/**
 * Throws ConfigError for a section that is not an object: it would be ignored
 * silently and overwritten by the next change.
 */
export function checkSections(document: ConfigDocument, file: string): void {
  for (const { key, fallback } of settingRows()) {
    const [name = "", inner] = key.split(".");
    const value = document[name];
    if (inner === undefined || value === undefined || isRecord(value)) continue;
    throw new ConfigError(
      `Cannot use ${name} in ${file}: it must be an object such as ` +
        `{"${inner}": ${JSON.stringify(fallback)}}`,
      { file, key: name, hint: "Correct the line; nothing was changed" },
    );
  }
}

/**
 * Throws ConfigError for an address without TLS, unless `insecureHttp` accepts
 * the risk: credentials go there, and anyone on the way could read them.
 */
function checkPlainHttp(
  settings: Settings,
  document: ConfigDocument,
  file: string,
): void {
  if (settings.insecureHttp) return;
  const places = [
    ...settingRows().filter(({ isUrl }) => isUrl)
      .map(({ key }) => [key, lookUp(settings, key)] as const),
    ...(Array.isArray(document["accounts"]) ? document["accounts"] : [])
      .map((row, at) =>
        [`accounts[${at}].upstream`, lookUp(Object(row), "upstream")] as const
      ),
  ];
  for (const [key, url] of places) {
    if (typeof url !== "string" || !isPlainHttp(url)) continue;
    throw new ConfigError(
      `Cannot use ${key} in ${file}: ${url} is plain http: anyone on ` +
        "the way can read your credentials",
      {
        file,
        key,
        hint: "Use https, or accept the risk: " +
          "tc config set insecureHttp true",
      },
    );
  }
}

/** Returns whether `url` leaves this machine without TLS. */
function isPlainHttp(url: string): boolean {
  const parsed = URL.parse(url);
  if (parsed?.protocol !== "http:") return false;
  const { hostname } = parsed;
  return hostname !== "localhost" && hostname !== "[::1]" &&
    !/^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/**
 * Returns the value that `tc config set` gives. Throws ConfigError if it is not
 * allowed.
 */
export function checkSetting(key: string, value: unknown, file: string): void {
  const row = settingRows().find((candidate) => candidate.key === key);
  if (row === undefined) {
    const why = isRetired(key) ? retiredText(key) : "there is no such setting";
    throw new ConfigError(`Cannot set ${key}: ${why}`, {
      file,
      key,
      hint: "tc config show --all   lists them",
    });
  }
  check(row, value, { origin: "flag", file });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function pick(
  row: SettingRow,
  document: ConfigDocument,
  { environment, flags }: Omit<ConfigSources, "text">,
): readonly [Origin, unknown] {
  if (flags[row.key] !== undefined) return ["flag", flags[row.key]];
  const variable = environment[row.variable];
  if (variable !== undefined && variable !== "") {
    return ["env", fromText(row, variable)];
  }
  const written = lookUp(document, row.key);
  return written === undefined ? ["default", row.fallback] : ["file", written];
}

/** Returns a variable's text as the kind of value that the setting holds. */
export function fromText(row: SettingRow, text: string): unknown {
  switch (typeof row.fallback) {
    case "number":
      // Text that is not a number is quoted in the error as written.
      return text.trim() === "" || Number.isNaN(Number(text))
        ? text
        : Number(text);
    case "boolean":
      return text === "true" || text === "1"
        ? true
        : text === "false" || text === "0"
        ? false
        : text;
    case "object":
      return fromJson(text);
    default:
      return text;
  }
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The check below says what is allowed.
    return text;
  }
}

function check(
  row: SettingRow,
  value: unknown,
  { origin, file }: { readonly origin: Origin; readonly file: string },
): void {
  if (v.is(row.schema, value)) return;
  const shown = row.isSecret
    ? "that"
    : inert(JSON.stringify(value)?.slice(0, 60) ?? String(value));
  const where = origin === "file"
    ? ` in ${file}`
    : origin === "env"
    ? ` from ${row.variable}`
    : "";
  const trouble = row.key === "routes" ? routesTrouble(value) : null;
  throw new ConfigError(
    `Cannot set ${row.key} to ${shown}${where}: ${
      trouble ?? `it must be ${row.allowed}`
    }`,
    { file, key: row.key },
  );
}

/** Returns the value at a dotted key, or undefined where it is not set. */
export function lookUp(
  document: Readonly<Record<string, unknown>>,
  key: string,
): unknown {
  let value: unknown = document;
  for (const name of key.split(".")) {
    if (!isRecord(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

/**
 * Returns `document` with `value` at the dotted `key`. If `value` is undefined the
 * key is removed, and so is each section that is empty without it.
 */
export function withSetting(
  document: Readonly<Record<string, unknown>>,
  key: string,
  value: unknown,
): Readonly<Record<string, unknown>> {
  const [name = "", ...rest] = key.split(".");
  const { [name]: old = {}, ...others } = document;
  if (rest.length === 0) {
    return value === undefined ? others : { ...document, [name]: value };
  }
  // The check of the whole document reports what is wrong with it.
  if (!isRecord(old)) return document;
  const section = withSetting(old, rest.join("."), value);
  const isLeft = value !== undefined || Object.keys(section).length > 0;
  return isLeft ? { ...document, [name]: section } : others;
}

function write(
  document: Record<string, unknown>,
  key: string,
  value: unknown,
): void {
  const [name = key, inner] = key.split(".");
  if (inner === undefined) {
    document[name] = value;
    return;
  }
  const section = isRecord(document[name]) ? document[name] : {};
  section[inner] = value;
  document[name] = section;
}

function unknownKeys(document: ConfigDocument): string[] {
  const known = settingRows().map((row) => row.key);
  const unknown: string[] = [];
  for (const [name, value] of Object.entries(document)) {
    if (["accounts", "$schema"].includes(name) || known.includes(name)) {
      continue;
    }
    const isSection = known.some((key) => key.startsWith(`${name}.`));
    if (!isSection) {
      unknown.push(name);
      continue;
    }
    if (!isRecord(value)) continue;
    for (const inner of Object.keys(value)) {
      if (!known.includes(`${name}.${inner}`)) unknown.push(`${name}.${inner}`);
    }
  }
  return unknown;
}
