/**
 * Flags, environment, file and defaults to one frozen Config. What a person
 * wrote either works or is an error that names file, key and what is allowed.
 *
 * @module
 */

import * as v from "valibot";
import { inert } from "../core/plain_text.ts";
import { ConfigError } from "../errors.ts";
import { type ConfigDocument, parseConfig } from "../store/config_file.ts";
import type { PriceBook, PriceTable } from "../core/pricing.ts";
import type { Environment } from "../system/paths.ts";
import {
  type SettingRow,
  settingRows,
  SETTINGS,
  type Settings,
} from "./settings.ts";

/** Which source won. */
export type Origin = "flag" | "env" | "file" | "default";

export interface Config {
  readonly file: string;
  readonly settings: Settings;
  /** The whole file as written; `accounts[]` of it is the store room's. */
  readonly document: ConfigDocument;
  /** The origin of each setting by its dotted key. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** Keys of the file that tc does not know; kept, and named by `tc doctor`. */
  readonly unknownKeys: readonly string[];
  /** A price table that was loaded by `tc prices update`, or null. */
  readonly priceTable: PriceTable | null;
}

export interface ConfigSources {
  readonly file: string;
  /** The text of the file, or null where there is none. */
  readonly text: string | null;
  readonly environment: Environment;
  /** Values by dotted key, as given on the command line. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** What `tc prices update` has loaded; null and none mean the same. */
  readonly priceTable?: PriceTable | null;
}

/** Throws ConfigError on the first value that cannot be used. */
export function configFrom(sources: ConfigSources): Config {
  const document = sources.text === null
    ? {}
    : parseConfig(sources.text, sources.file);
  return configOf(document, sources);
}

/** As {@linkcode configFrom}, of a file that was read already. */
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
    check(row, value, { origin, file: sources.file });
    write(merged, row.key, value);
  }
  const settings = v.parse(SETTINGS, merged);
  checkPlainHttp(settings, document, sources.file);
  return {
    file: sources.file,
    settings,
    document,
    origins,
    unknownKeys: unknownKeys(document),
    priceTable: sources.priceTable ?? null,
  };
}

/** Returns all prices that count: a person's own, a loaded table, the list. */
export function priceBook({ settings, priceTable }: Config): PriceBook {
  return { own: settings.pricing, table: priceTable };
}

/**
 * A section that is no object would be dropped in silence and written over by
 * the next change. Throws ConfigError.
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
 * Credentials go to these places: without TLS everybody on the way reads them.
 * Throws ConfigError unless `insecureHttp` takes that risk.
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

/** Whether `url` leaves this machine without TLS. */
export function isPlainHttp(url: string): boolean {
  const parsed = URL.parse(url);
  if (parsed?.protocol !== "http:") return false;
  const { hostname } = parsed;
  return hostname !== "localhost" && hostname !== "[::1]" &&
    !/^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** Checks one value as `tc config set` gives it; throws ConfigError. */
export function checkSetting(key: string, value: unknown, file: string): void {
  const row = settingRows().find((candidate) => candidate.key === key);
  if (row === undefined) {
    throw new ConfigError(`Cannot set ${key}: there is no such setting`, {
      file,
      key,
      hint: "tc config show   lists them",
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

/** A variable's text as the kind of value that the setting holds. */
export function fromText(row: SettingRow, text: string): unknown {
  switch (typeof row.fallback) {
    case "number":
      // What is no number is told of in the person's own words.
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
    // The check that follows says what is allowed.
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
  throw new ConfigError(
    `Cannot set ${row.key} to ${shown}${where}: it must be ${row.allowed}`,
    { file, key: row.key },
  );
}

/** The value at a dotted key, or undefined where it is not written. */
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
    if (name === "accounts" || known.includes(name)) continue;
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
