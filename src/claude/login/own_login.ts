/**
 * Finds out whether Claude Code has a login of its own on this machine, and
 * what outranks that login. It reads a secret only far enough to see that there
 * is one.
 *
 * @module
 */

import { join } from "node:path";
import { TcError } from "../../errors.ts";
import type { CommandRunner } from "../../ports.ts";
import { LOCAL_TOKEN, PROVIDER_SWITCHES } from "../launch_variables.ts";
import {
  claudeFolder,
  type FolderFacts,
  type LoginPlace,
} from "../claude_folder.ts";
import { isOurHelper } from "../api_key_helper.ts";
import type { SettingsLayer } from "../client_settings.ts";

import { KeychainItem } from "./keychain_item.ts";

/**
 * Returns whether Claude Code would use a login of its own at its next start.
 */
export async function findClaudeLogin(
  facts: FolderFacts,
  runner: CommandRunner,
): Promise<boolean> {
  const token = facts.environment["CLAUDE_CODE_OAUTH_TOKEN"];
  // A launch inside a launch sees the token that the outer launch made up.
  if (token && token !== LOCAL_TOKEN) return true;
  const { folder, login } = claudeFolder(facts);
  if (hasStoredLogin(join(folder, ".credentials.json"))) return true;
  return login.kind === "keychain" && await hasKeychainLogin(login, runner);
}

function hasStoredLogin(file: string): boolean {
  try {
    if (!Deno.statSync(file).isFile) return false;
    return isLogin(Deno.readTextFileSync(file));
  } catch {
    // There is no file, or one that Claude Code could not use either.
    return false;
  }
}

/**
 * Returns whether Claude Code would use `text`: logins of MCP servers alone are
 * not a login.
 */
function isLogin(text: string): boolean {
  const stored: unknown = JSON.parse(text);
  const login = (stored as { claudeAiOauth?: { accessToken?: unknown } } | null)
    ?.claudeAiOauth;
  return typeof login?.accessToken === "string" && login.accessToken !== "";
}

async function hasKeychainLogin(
  place: Extract<LoginPlace, { readonly kind: "keychain" }>,
  runner: CommandRunner,
): Promise<boolean> {
  const item = new KeychainItem(place, runner);
  let text: string | null;
  try {
    text = await item.read();
  } catch (cause) {
    if (!(cause instanceof TcError)) throw cause;
    // The keychain is locked: its item is most likely a login.
    return await item.isThere();
  }
  try {
    return text !== null && isLogin(text);
  } catch {
    // Not JSON: Claude Code could not use it either.
    return false;
  }
}

// What Claude Code would use in place of a stored login, or instead of the
// provider that the login is for. A swapped login has no effect then (facts,
// 10.11).

/** One thing that outranks a stored login. */
export interface LoginRival {
  /** The variable, or `apiKeyHelper`. */
  readonly name: string;
  /** The file, or `the environment`. */
  readonly source: string;
  /** Whether an administrator fixed it, so that no launch can undo it. */
  readonly isManaged: boolean;
  /** What Claude Code uses instead. */
  readonly uses: "a key" | "another login" | "another provider";
}

const CREDENTIALS: Readonly<Record<string, LoginRival["uses"]>> = {
  ANTHROPIC_API_KEY: "a key",
  ANTHROPIC_AUTH_TOKEN: "a key",
  CLAUDE_CODE_OAUTH_TOKEN: "another login",
};
const OFF = ["", "0", "false", "no", "off"];

/**
 * Returns everything that outranks a stored login, for a client that starts
 * with `environment` and `layers`. `helper` is this tc's own helper command,
 * which is not a rival.
 */
export function loginRivals(
  environment: Readonly<Record<string, string | undefined>>,
  layers: readonly SettingsLayer[],
  helper: string,
): readonly LoginRival[] {
  // A later layer decides, even if it takes a variable back.
  const last = new Map<string, LoginRival & { readonly value: string }>();
  const note = (
    env: Readonly<Record<string, string | undefined>>,
    place: Pick<LoginRival, "source" | "isManaged">,
  ): void => {
    for (const [name, value] of Object.entries(env)) {
      const uses = isSwitch(name) ? "another provider" : CREDENTIALS[name];
      if (uses === undefined || value === undefined) continue;
      last.set(name, { ...place, name, uses, value });
    }
  };
  note(environment, { source: "the environment", isManaged: false });
  for (const { env, source, isManaged } of layers) {
    note(env, { source, isManaged });
  }
  const variables = [...last.values()]
    .filter(({ name, value }) =>
      isSwitch(name)
        ? !OFF.includes(value.toLowerCase())
        : value !== "" && value !== LOCAL_TOKEN
    )
    .map(({ value: _value, ...rival }) => rival);
  const helpers = layers.filter(({ keyHelper }) => keyHelper !== null);
  const top = helpers.at(-1);
  const isForeign = top?.keyHelper !== undefined && top.keyHelper !== null &&
    !isOurHelper(top.keyHelper, helper);
  return isForeign
    ? [...variables, {
      name: "apiKeyHelper",
      source: top.source,
      isManaged: top.isManaged,
      uses: "a key",
    }]
    : variables;
}

function isSwitch(name: string): boolean {
  return (PROVIDER_SWITCHES as readonly string[]).includes(name);
}

/** Returns a rival as `ANTHROPIC_API_KEY in the environment`. */
export function rivalText({ name, source }: LoginRival): string {
  return `${name} in ${source}`;
}
