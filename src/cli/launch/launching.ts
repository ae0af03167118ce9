/**
 * What `tc run` and `tc env` need to know before a launch.
 *
 * @module
 */

import {
  managedFolders,
  readSettings,
  type SettingsLayer,
} from "../../claude/client_settings.ts";
import { claudeFolder } from "../../claude/claude_folder.ts";
import type {
  LaunchFacts,
  LoginMode,
  Variables,
} from "../../claude/launch_variables.ts";
import { socketPath } from "../../config/socket_path.ts";
import type { AccountId } from "../../core/account.ts";
import { storedAccounts } from "../accounts/accounts_store.ts";
import { folderFacts } from "../login/login_stores.ts";
import { hasLivingLogin } from "../login/own_login_life.ts";
import type { Shell } from "../shell.ts";
import { variablesOf } from "../../variables.ts";

/** The whole environment, for a child that must get it as it is. */
export function presentVariables(): Variables {
  return variablesOf(Deno.env.toObject(), Deno.build.os);
}

/** What is known of a launch, with `made` as its mode without an own login. */
export async function launchFacts(
  shell: Shell,
  { account, made }: {
    readonly account: AccountId | null;
    readonly made: Exclude<LoginMode, "own_login">;
  },
): Promise<LaunchFacts> {
  const { settings } = shell.config;
  const hasOwnLogin = await hasLivingLogin(shell);
  return {
    origin: shell.origin,
    key: shell.key.reveal(),
    isWide: !isLoopback(settings.proxy.host),
    mode: hasOwnLogin ? "own_login" : made,
    ...await poolFacts(shell),
    silentMsMax: Math.max(settings.hold.silentMs, settings.hold.jsonMaxMs),
    holdMsMax: settings.hold.maxMs,
    account,
    policy: null,
    socket: null,
  };
}

/** The socket of a running server; where there is none, says why and is null. */
export function openSocket(shell: Shell): string | null {
  const path = socketPath(shell.config, shell.paths, Deno.build.os);
  const reason = path === null
    ? "proxy.socket is off, or its path would be too long"
    : socketTrouble(path);
  if (reason === null) return path;
  shell.output.say(`tc: no Unix socket (${reason}): going by the port`);
  return null;
}

function socketTrouble(path: string): string | null {
  try {
    return Deno.lstatSync(path).isSocket ? null : `${path} is no socket`;
  } catch {
    return `there is no ${path}`;
  }
}

/**
 * What the accounts of the pool decide: whether one has the 1-hour cache of a
 * subscription, whether all requests end at Anthropic's API, and the default
 * model. Claude Code starts with Opus for every
 * plan that it knows and for API keys; it knows no plan of a setup token.
 */
async function poolFacts(
  shell: Shell,
): Promise<Pick<LaunchFacts, "isSubscriptionPool" | "model" | "isFirstParty">> {
  const { accounts } = await storedAccounts(shell);
  const kinds = accounts.filter(({ account }) => account.enabled)
    .map(({ account }) => account.kind);
  return {
    isFirstParty: !kinds.includes("backend") &&
      /^https:\/\/api\.anthropic\.com\/?$/.test(shell.config.settings.upstream),
    isSubscriptionPool: kinds.includes("subscription") ||
      kinds.includes("setup_token"),
    model: kinds.includes("subscription") || kinds.includes("api_key")
      ? "opus"
      : null,
  };
}

function isLoopback(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/.test(host);
}

/** The settings of Claude Code as a launch with `args` reads them. */
export function clientSettings(
  shell: Shell,
  args: readonly string[],
): readonly SettingsLayer[] {
  return readSettings({
    userFile: claudeFolder(folderFacts(shell)).settingsFile,
    folder: Deno.cwd(),
    managed: managedFolders(Deno.build.os),
    args,
  });
}
