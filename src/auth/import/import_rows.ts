/**
 * Account rows of other proxies' configs: teamclaude, maxpool and nextclaude
 * write them alike.
 *
 * @module
 */

import * as v from "valibot";
import type { Tier } from "../../core/account.ts";
import { instantFromMs } from "../../core/time.ts";
import {
  type AccountIdentity,
  type Credential,
  RefreshToken,
  Secret,
  type SharedFamily,
} from "../../ports.ts";
import { readInstant } from "../../wire/outside_time.ts";

/** The settings of a row that states none. */
export const NO_SETTINGS: ImportedSettings = {
  priority: null,
  enabled: true,
  capUtilization: null,
  upstream: null,
  modelMap: null,
};

/** Why a login is not imported. */
export const BLANK = "its login is blank or half-written: log in there again";

const row = v.looseObject({
  name: v.fallback(v.nullish(v.string()), null),
  type: v.fallback(v.nullish(v.string()), null),
  accountUuid: v.fallback(v.nullish(v.string()), null),
  orgUuid: v.fallback(v.nullish(v.string()), null),
  accessToken: v.fallback(v.nullish(v.string()), null),
  refreshToken: v.fallback(v.nullish(v.string()), null),
  expiresAt: v.optional(v.unknown()),
  scopes: v.fallback(v.array(v.string()), []),
  apiKey: v.fallback(v.nullish(v.string()), null),
  importFrom: v.fallback(v.nullish(v.string()), null),
  priority: v.fallback(v.nullish(v.number()), null),
  disabled: v.fallback(v.nullish(v.boolean()), null),
  enabled: v.fallback(v.nullish(v.boolean()), null),
  capUtilization: v.fallback(v.nullish(v.number()), null),
  upstream: v.fallback(v.nullish(v.string()), null),
  modelMap: v.fallback(v.nullish(v.record(v.string(), v.string())), null),
});

type Row = v.InferOutput<typeof row>;

/** Returns the accounts in a config of teamclaude, maxpool or nextclaude. */
export function readConfigPool(
  json: Record<string, unknown>,
  accounts: readonly unknown[],
  location: string,
): ImportReading {
  const tool = toolOf(json, location);
  const candidates: ImportCandidate[] = [];
  const skipped: { name: string; reason: string }[] = [];
  const elsewhere: {
    name: string | null;
    path: string;
    settings: ImportedSettings;
  }[] = [];
  accounts.forEach((value, index) => {
    const parsed = v.safeParse(row, value);
    const name = parsed.success ? parsed.output.name ?? null : null;
    const shown = name ?? `account ${index + 1}`;
    if (!parsed.success) {
      skipped.push({ name: shown, reason: "it is not an account" });
      return;
    }
    const settings = settingsOf(parsed.output);
    const candidate = candidateOf(parsed.output, {
      tool,
      location: inPool(location, name),
    });
    const { importFrom } = parsed.output;
    if (candidate !== null) candidates.push(candidate);
    else if (importFrom) elsewhere.push({ name, path: importFrom, settings });
    else skipped.push({ name: shown, reason: BLANK });
  });
  const left = settingsLeft(json, accounts);
  return { tool, location, candidates, skipped, elsewhere, left };
}

/** What a row says of its credential and owner, which are no settings. */
const OF_CREDENTIAL = [
  "id",
  "name",
  "email",
  "type",
  "accountUuid",
  "orgUuid",
  "accessToken",
  "refreshToken",
  "expiresAt",
  "scopes",
  "apiKey",
  "importFrom",
];

/** The settings of a row that tc has as well. */
const OF_ROW = [
  "priority",
  "enabled",
  "disabled",
  "capUtilization",
  "upstream",
  "modelMap",
];

/**
 * Returns the names of all settings that tc does not take: `proxy.port` of the
 * file, `note of work` of an account. Values are left out, for one may be a key.
 */
function settingsLeft(
  json: Record<string, unknown>,
  accounts: readonly unknown[],
): readonly string[] {
  const ofFile = Object.entries(json)
    .filter(([key]) => key !== "accounts" && !key.startsWith("$"))
    .flatMap(([key, value]) =>
      isRecord(value) && Object.keys(value).length > 0
        ? Object.keys(value).map((inner) => `${key}.${inner}`)
        : [key]
    );
  const ofRows = accounts.flatMap((value, index) => {
    const parsed = v.safeParse(row, value);
    if (!parsed.success || !isRecord(value)) return [];
    const settings: Readonly<Record<string, unknown>> = {
      ...settingsOf(parsed.output),
    };
    const isTaken = (key: string) =>
      OF_ROW.includes(key) && (settings[key] ?? null) !== null ||
      key === "disabled";
    const name = parsed.output.name ?? `account ${index + 1}`;
    return Object.keys(value)
      .filter((key) =>
        !OF_CREDENTIAL.includes(key) && value[key] !== null && !isTaken(key)
      )
      .map((key) => `${key} of ${name}`);
  });
  return [...ofFile, ...ofRows];
}

function candidateOf(
  fields: Row,
  sharedWith: SharedFamily,
): ImportCandidate | null {
  const settings = settingsOf(fields);
  const { accessToken, refreshToken, accountUuid, orgUuid } = fields;
  const name = fields.name ?? null;
  const key = keyOf(fields.apiKey ?? null, settings.upstream);
  if (key !== null) return keyCandidate(name, key, settings);
  if (!refreshToken?.trim()) {
    // A setup token is an access token without a refresh token.
    const token = keyOf(accessToken ?? null, settings.upstream);
    return token === null ? null : keyCandidate(name, token, settings);
  }
  const isHalf = fields.expiresAt === undefined || fields.expiresAt === null;
  if (!accessToken?.trim() || isHalf) return null;
  return {
    name,
    email: name?.includes("@") ? name : null,
    identity: accountUuid && orgUuid
      ? { accountUuid, organizationUuid: orgUuid }
      : null,
    tier: "unknown",
    credential: {
      kind: "oauth",
      accessToken: new Secret(accessToken),
      refreshToken: new RefreshToken(refreshToken),
      // Without a sensible end, the provider is asked.
      expiresAt: readInstant(fields.expiresAt) ?? instantFromMs(0),
      scopes: fields.scopes,
      signInEndsAt: null,
    },
    sharedWith,
    settings,
  };
}

/** A key has no family, because using it does not spend it. */
export function keyCandidate(
  name: string | null,
  credential: Credential,
  settings: ImportedSettings,
): ImportCandidate {
  return {
    name,
    email: null,
    identity: null,
    tier: "unknown",
    credential,
    sharedWith: null,
    settings,
  };
}

/**
 * Returns a key, recognised by its prefix; for a backend any visible text
 * counts.
 */
export function keyOf(
  key: string | null,
  upstream: string | null,
): Credential | null {
  const text = key?.trim() ?? "";
  if (!/^[\x21-\x7e]{8,4096}$/.test(text)) return null;
  const token = new Secret(text);
  if (upstream !== null) return { kind: "api_key", token };
  if (text.startsWith("sk-ant-api")) return { kind: "api_key", token };
  return text.startsWith("sk-ant-oat")
    ? { kind: "setup_token", token, expiresAt: null }
    : null;
}

function settingsOf(fields: Row): ImportedSettings {
  const { capUtilization: cap } = fields;
  return {
    priority: fields.priority ?? null,
    enabled: fields.enabled !== false && fields.disabled !== true,
    capUtilization: cap && cap > 0 && cap <= 1 ? cap : null,
    upstream: fields.upstream && URL.canParse(fields.upstream)
      ? fields.upstream
      : null,
    modelMap: fields.modelMap ?? null,
  };
}

/**
 * Each tool is recognised by the name of its proxy key, and mostly by its file.
 */
function toolOf(
  { proxy }: Record<string, unknown>,
  location: string,
): SharedFamily["tool"] {
  const key = isRecord(proxy) ? String(proxy["apiKey"] ?? "") : "";
  if (/nextclaude/i.test(location) || key.startsWith("nc-")) {
    return "nextclaude";
  }
  if (/maxpool/i.test(location) || key.startsWith("mp-")) return "maxpool";
  return "teamclaude";
}

/**
 * Returns one account of a file that holds several, by the file and its name
 * there.
 */
export function inPool(location: string, name: string | null): string {
  return name === null ? location : `${location}#${name}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What a tool's own row says besides the credential. */
interface ImportedSettings {
  readonly priority: number | null;
  readonly enabled: boolean;
  readonly capUtilization: number | null;
  /** Origin of a backend, or null. */
  readonly upstream: string | null;
  readonly modelMap: Readonly<Record<string, string>> | null;
}

/** One account that can be imported. */
export interface ImportCandidate {
  /** The tool's name for it, or null. */
  readonly name: string | null;
  readonly email: string | null;
  /** As the tool noted it: a hint, never believed over the provider. */
  readonly identity: AccountIdentity | null;
  readonly tier: Tier;
  readonly credential: Credential;
  /** Null for keys, because using a key does not spend it. */
  readonly sharedWith: SharedFamily | null;
  readonly settings: ImportedSettings;
}

export interface ImportReading {
  readonly tool: SharedFamily["tool"];
  readonly location: string;
  readonly candidates: readonly ImportCandidate[];
  readonly skipped: readonly {
    readonly name: string;
    readonly reason: string;
  }[];
  /** Names of settings in the file that tc does not take. */
  readonly left: readonly string[];
  /** Rows whose login is in another file. */
  readonly elsewhere: readonly {
    readonly name: string | null;
    readonly path: string;
    readonly settings: ImportedSettings;
  }[];
}
