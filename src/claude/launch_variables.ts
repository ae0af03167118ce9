/**
 * The environment that routes Claude Code through tc: which variables a launch
 * sets and removes, and what in the client's settings files must be outranked
 * for them to take effect.
 *
 * Every rule was measured with claude-code 2.1.329 and 2.1.332.
 *
 * @module
 */

import { EXIT, TcError } from "../errors.ts";
import type { SettingsLayer } from "./client_settings.ts";

export type Variables = Readonly<Record<string, string>>;
/** Variables to set, and variables to remove (null). */
type Changes = Readonly<Record<string, string | null>>;

/**
 * How Claude Code proves itself; its features follow from it.
 *
 * - `own_login`: its stored login, which stays as it is.
 * - `login`: a login made up by tc (`CLAUDE_CODE_OAUTH_TOKEN`). As with a login
 *   of its own, the client waits out a usage limit and continues by itself.
 * - `token`: `ANTHROPIC_AUTH_TOKEN`, for `tc env` and for `--bare`, which reads
 *   no login. Such a client ends a turn at a usage limit.
 */
export type LoginMode = "own_login" | "login" | "token";

export interface LaunchFacts {
  /** `http://127.0.0.1:3456`, without the key. */
  readonly origin: string;
  /** The local key. */
  readonly key: string;
  /**
   * Whether tc listens beyond this machine. The client also sends its custom
   * headers with one request to api.anthropic.com (`/api/claude_cli/bootstrap`,
   * 2.1.329 and 2.1.332), so a key that opens more than loopback stays out of
   * them.
   */
  readonly isWide: boolean;
  readonly mode: LoginMode;
  readonly isSubscriptionPool: boolean;
  /**
   * The model that the pool's plans make the default, for a client that does
   * not know the plan; null keeps the client's own.
   */
  readonly model: string | null;
  /** Longest silence before an answer's head, in milliseconds. */
  readonly silentMsMax: number;
  /** Longest hold of a stream, with pings, in milliseconds. */
  readonly holdMsMax: number;
  /** Id of the only account that may serve the launch, or null. */
  readonly account: string | null;
  /** How accounts are chosen for the launch; null uses the server's policy. */
  readonly policy: string | null;
  /**
   * Names the note with the launch's repository, `@<uuid>`; null without one.
   * The path itself stays out of the headers, which the client also sends to
   * api.anthropic.com.
   */
  readonly project: string | null;
  /** Whether every request of the pool ends at Anthropic's own API. */
  readonly isFirstParty: boolean;
  /** The server's Unix socket, where the launch uses it; else null. */
  readonly socket: string | null;
}

/**
 * The value of credentials that tc makes up; only the local key opens the
 * server.
 */
export const LOCAL_TOKEN = "tc-local";

/** The header that carries the local key. */
const KEY_HEADER = "x-tc-key";

/** Headers of a launch; an inner launch replaces those of an outer one. */
const LAUNCH_HEADERS = [
  KEY_HEADER,
  "x-tc-account",
  "x-tc-policy",
  "x-tc-project",
];

/** Variables that send Claude Code to another provider (2.1.332). */
export const PROVIDER_SWITCHES = [
  "CLAUDE_CODE_USE_BEDROCK",
  "CLAUDE_CODE_USE_VERTEX",
  "CLAUDE_CODE_USE_FOUNDRY",
  "CLAUDE_CODE_USE_MANTLE",
  "CLAUDE_CODE_USE_GATEWAY",
  "CLAUDE_CODE_USE_ANTHROPIC_AWS",
  "CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD",
] as const;

/** Makes the client treat its base URL as Anthropic's own. */
const FIRST_PARTY = "_CLAUDE_CODE_ASSUME_FIRST_PARTY_BASE_URL";

/**
 * The client accepts one word and adds `--resume ID`; `tc --resume ID` means
 * `tc run -- --resume ID`.
 */
const RESUME_COMMAND = "tc";

/** The client takes these from the same source as the base URL. */
const COMPANIONS = ["ANTHROPIC_CUSTOM_HEADERS", FIRST_PARTY];

/** Claude Code's default time limits, in milliseconds. */
const API_TIMEOUT_MS = 600_000;
const STREAM_IDLE_MS = 300_000;
const STREAM_IDLE_MS_MAX = 1_800_000;
/** Added to a hold, so that the client does not give up just before its end. */
const MARGIN_MS = 60_000;

/** What a launch needs besides its variables. */
interface LaunchPlan {
  readonly variables: Changes;
  /**
   * The content of a `--settings` file that outranks the client's own settings;
   * null if they contradict nothing. It may hold the key.
   */
  readonly settings: Readonly<Record<string, unknown>> | null;
}

/**
 * Plans a launch that can outrank settings files by `--settings`. Throws
 * TcError `managed_elsewhere` if managed settings send Claude Code past tc: its
 * requests would take the key to a stranger.
 */
export function planLaunch(
  facts: LaunchFacts,
  present: Variables,
  layers: readonly SettingsLayer[],
): LaunchPlan {
  const managed = merged(layers.filter(({ isManaged }) => isManaged));
  const variables = launchVariables(
    { ...facts, model: modelFor(facts, layers) },
    { ...present, ...merged(layers) },
    placeOfKey(facts, managed),
  );
  refuseManaged(variables, layers);
  const contradicted = Object.entries(merged(layers)).filter(([name, value]) =>
    name in variables && (variables[name] ?? "") !== value
  ).map(([name]) => name);
  const names = contradicted.includes("ANTHROPIC_BASE_URL")
    ? [...contradicted, ...COMPANIONS.filter((name) => variables[name])]
    : contradicted;
  const env = Object.fromEntries(
    names.filter((name) => !(name in managed))
      .map((name) => [name, variables[name] ?? ""]),
  );
  const settings = {
    ...(Object.keys(env).length === 0 ? {} : { env }),
    // An `apiKeyHelper` would outrank every login.
    ...(layers.some(({ keyHelper }) => keyHelper !== null)
      ? { apiKeyHelper: "" }
      : {}),
  };
  return {
    variables,
    settings: Object.keys(settings).length === 0 ? null : settings,
  };
}

/**
 * Returns the variables for a client that a person starts by hand, and in words
 * what in its settings contradicts them, because no variable outranks a
 * settings file.
 */
export function planExports(
  facts: LaunchFacts,
  present: Variables,
  layers: readonly SettingsLayer[],
): { readonly variables: Changes; readonly contradictions: readonly string[] } {
  const fixed = merged(layers);
  const variables = launchVariables(
    { ...facts, model: modelFor(facts, layers) },
    { ...present, ...fixed },
    placeOfKey(facts, fixed),
  );
  return {
    variables,
    contradictions: layers.flatMap((layer) =>
      elsewhere(variables, layer).map((name) => `${layer.source} sets ${name}`)
    ),
  };
}

/**
 * The key goes into the path if `fixed` headers would outrank it, or if it may
 * not travel in headers.
 */
function placeOfKey(
  { isWide }: LaunchFacts,
  fixed: Variables,
): "header" | "path" {
  return isWide || "ANTHROPIC_CUSTOM_HEADERS" in fixed ? "path" : "header";
}

function merged(layers: readonly SettingsLayer[]): Variables {
  return Object.assign({}, ...layers.map(({ env }) => env));
}

/** Returns the pool's default model, if the user chose none in the settings. */
function modelFor(
  { model }: LaunchFacts,
  layers: readonly SettingsLayer[],
): string | null {
  return layers.some((layer) => layer.model !== null) ? null : model;
}

/** Returns the names by which `layer` leads Claude Code past tc. */
function elsewhere(
  variables: Changes,
  { env }: SettingsLayer,
): readonly string[] {
  return [
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_UNIX_SOCKET",
    ...PROVIDER_SWITCHES,
  ].filter((name) =>
    (env[name] ?? "") !== "" && env[name] !== variables[name] &&
    !(isSwitch(name) && isOff(env[name]))
  );
}

function isSwitch(name: string): boolean {
  return name.startsWith("CLAUDE_CODE_USE_");
}

function isOff(value: string | undefined): boolean {
  return ["0", "false", "no", "off"].includes(value?.toLowerCase() ?? "");
}

function refuseManaged(
  variables: Changes,
  layers: readonly SettingsLayer[],
): void {
  for (const layer of layers.filter(({ isManaged }) => isManaged)) {
    const [name] = elsewhere(variables, layer);
    if (name === undefined) continue;
    throw new TcError(
      `Cannot route Claude Code through tc: ${name} is fixed in ${layer.source}`,
      {
        code: "managed_elsewhere",
        source: "user",
        exitCode: EXIT.noPermission,
        hint: "Managed settings outrank every launch. " +
          "Ask your administrator, or start claude without tc.",
      },
    );
  }
}

/**
 * Returns the variables to set and to remove; the rest of the environment
 * stays. A key in the path shows in `/status`; it is there only if nothing can
 * outrank the settings' own headers.
 */
export function launchVariables(
  facts: LaunchFacts,
  present: Variables,
  keyPlace: "header" | "path" = "header",
): Changes {
  // With a socket the host is never dialled, and http avoids TLS. The variable
  // is in no official list.
  const origin = facts.socket === null ? facts.origin : "http://localhost";
  const headers = withHeaders(
    present["ANTHROPIC_CUSTOM_HEADERS"] ?? "",
    [
      ...(keyPlace === "header" ? [[KEY_HEADER, facts.key]] : []),
      ...(facts.account === null ? [] : [["x-tc-account", facts.account]]),
      ...(facts.policy === null ? [] : [["x-tc-policy", facts.policy]]),
      ...(facts.project === null ? [] : [["x-tc-project", facts.project]]),
    ],
  );
  const set: Record<string, string | null> = {
    ANTHROPIC_BASE_URL: keyPlace === "path"
      ? `${origin}/k/${facts.key}`
      : origin,
    ANTHROPIC_UNIX_SOCKET: facts.socket,
    ANTHROPIC_CUSTOM_HEADERS: headers === "" ? null : headers,
    // Either would outrank the login and turn subscription mode off.
    ANTHROPIC_API_KEY: null,
    ANTHROPIC_AUTH_TOKEN: null,
    // The client turns tool search off for hosts other than Anthropic's,
    // because some do not pass its blocks on. tc does.
    ENABLE_TOOL_SEARCH: present["ENABLE_TOOL_SEARCH"] ?? "true",
    // The client names this command when it says how to resume a session.
    CLAUDE_CODE_RESUME_HINT_COMMAND:
      present["CLAUDE_CODE_RESUME_HINT_COMMAND"] ?? RESUME_COMMAND,
    ...firstPartyVariables(facts, present),
    ...loginVariables(facts, present),
  };
  for (const name of PROVIDER_SWITCHES) {
    if ((present[name] ?? "") !== "") set[name] = null;
  }
  for (const name of noProxyNames(present)) {
    set[name] = withLoopback(present[name] ?? "");
  }
  raise(set, present, {
    name: "API_TIMEOUT_MS",
    needed: facts.silentMsMax + MARGIN_MS,
    usual: API_TIMEOUT_MS,
  });
  raise(set, present, {
    name: "CLAUDE_STREAM_IDLE_TIMEOUT_MS",
    needed: Math.min(facts.holdMsMax + MARGIN_MS, STREAM_IDLE_MS_MAX),
    usual: Math.max(STREAM_IDLE_MS, API_TIMEOUT_MS + MARGIN_MS),
  });
  return set;
}

/**
 * The client withholds betas and features from hosts that it does not know.
 * Through tc its requests end at Anthropic's API, so it may know that.
 */
function firstPartyVariables(facts: LaunchFacts, present: Variables): Changes {
  const isSet = (present[FIRST_PARTY] ?? "") !== "";
  return facts.isFirstParty && !isSet ? { [FIRST_PARTY]: "1" } : {};
}

function loginVariables(facts: LaunchFacts, present: Variables): Changes {
  switch (facts.mode) {
    case "own_login":
      // A token made up by an outer launch must not outrank the login.
      return present["CLAUDE_CODE_OAUTH_TOKEN"] === LOCAL_TOKEN
        ? { CLAUDE_CODE_OAUTH_TOKEN: null }
        : {};
    case "login":
      return {
        CLAUDE_CODE_OAUTH_TOKEN: LOCAL_TOKEN,
        // Without a plan, the client's default model is Sonnet.
        ...(facts.model === null || (present["ANTHROPIC_MODEL"] ?? "") !== ""
          ? {}
          : { ANTHROPIC_MODEL: facts.model }),
      };
    case "token":
      return {
        ANTHROPIC_AUTH_TOKEN: LOCAL_TOKEN,
        ...(facts.isSubscriptionPool
          ? {
            ENABLE_PROMPT_CACHING_1H: present["ENABLE_PROMPT_CACHING_1H"] ??
              "1",
          }
          : {}),
      };
  }
}

/**
 * Returns ANTHROPIC_CUSTOM_HEADERS without the lines of a launch, for a client
 * that does not go through tc; null if none is left.
 */
export function withoutLaunchHeaders(present: string): string | null {
  const rest = withHeaders(present, []);
  return rest === "" ? null : rest;
}

/** Returns the key that a launch put into ANTHROPIC_CUSTOM_HEADERS, or null. */
export function keyInHeaders(text: string): string | null {
  const line = text.split("\n").find((one) => nameOf(one) === KEY_HEADER);
  return line === undefined ? null : line.slice(line.indexOf(":") + 1).trim();
}

function withHeaders(
  present: string,
  lines: readonly (readonly string[])[],
): string {
  const others = present.split("\n").filter((line) =>
    line.trim() !== "" && !LAUNCH_HEADERS.includes(nameOf(line))
  );
  return [...others, ...lines.map((line) => line.join(": "))].join("\n");
}

function nameOf(line: string): string {
  return line.split(":", 1)[0]?.trim().toLowerCase() ?? "";
}

/**
 * The client sends loopback traffic through a proxy unless NO_PROXY names it.
 */
function noProxyNames(present: Variables): readonly string[] {
  const written = ["NO_PROXY", "no_proxy"].filter((name) => name in present);
  return written.length === 0 ? ["NO_PROXY"] : written;
}

function withLoopback(list: string): string {
  const names = list.split(",").map((name) => name.trim()).filter((name) =>
    name !== ""
  );
  const missing = ["127.0.0.1", "localhost"].filter((name) =>
    !names.includes(name)
  );
  return [...names, ...missing].join(",");
}

function raise(
  set: Record<string, string | null>,
  present: Variables,
  limit: {
    readonly name: string;
    readonly needed: number;
    readonly usual: number;
  },
): void {
  const written = Number(present[limit.name] ?? "NaN");
  const now = Number.isFinite(written) ? written : limit.usual;
  if (now < limit.needed) set[limit.name] = String(limit.needed);
}

/** Returns `present` with `changes` applied. */
export function applied(
  present: Variables,
  changes: Changes,
): Record<string, string> {
  const next: Record<string, string> = { ...present };
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) delete next[name];
    else next[name] = value;
  }
  return next;
}
