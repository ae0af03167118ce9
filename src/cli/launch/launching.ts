/**
 * What `tc run` and `tc env` find out before a launch: the pool, the settings of
 * Claude Code, and whether its own login still serves.
 *
 * @module
 */

import {
  managedFolders,
  readSettings,
  type SettingsLayer,
} from "../../claude/client_settings.ts";
import { claudeFolder } from "../../claude/claude_folder.ts";
import {
  type LaunchFacts,
  LOCAL_TOKEN,
  type LoginMode,
  type Variables,
} from "../../claude/launch_variables.ts";
import { socketPath } from "../../config/socket_path.ts";
import type { AccountId } from "../../core/account.ts";
import { storedAccounts } from "../accounts/account_work.ts";
import { folderFacts, storeOf } from "../login/login_stores.ts";
import type { Shell } from "../shell.ts";
import { type Host, variablesOf } from "../../variables.ts";
import { systemClock } from "../../system/clock.ts";
import { systemRunner } from "../../system/command_runner.ts";
import type { LivePlace } from "../../auth/shared/live_place.ts";
import { revive } from "../../auth/shared/live_login.ts";
import { findClaudeLogin } from "../../claude/login/own_login.ts";
import { TcError } from "../../errors.ts";
import { ForeignTexts } from "../../store/files/foreign_text.ts";
import { outsideProfiles } from "../profile/profiles.ts";
import { openSwap } from "../swap/swapping.ts";

/** Returns the whole environment, for a child that must get it unchanged. */
export function presentVariables({ system }: Pick<Host, "system">): Variables {
  return variablesOf(Deno.env.toObject(), system);
}

/**
 * Returns the facts of a launch; `made` is its login mode if Claude Code has no
 * login of its own.
 */
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
    project: null,
    socket: null,
  };
}

/**
 * Returns the socket of the running server. If there is none, prints the reason
 * and returns null.
 */
export function openSocket(shell: Shell): string | null {
  const path = socketPath(shell.config, shell.paths, shell.system);
  const reason = path === null
    ? "proxy.socket is off, or its path would be too long"
    : socketTrouble(path);
  if (reason === null) return path;
  shell.output.say(`tc: no Unix socket (${reason}): using the port`);
  return null;
}

function socketTrouble(path: string): string | null {
  try {
    return Deno.lstatSync(path).isSocket ? null : `${path} is not a socket`;
  } catch {
    return `there is no ${path}`;
  }
}

/**
 * Returns what depends on the accounts: whether one has the 1-hour cache of a
 * subscription, whether all requests go to Anthropic's API, and the default
 * model. Claude Code starts with Opus for every plan that it knows and for API
 * keys; it does not know the plan of a setup token.
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

/** Returns Claude Code's settings as a launch with `args` reads them. */
export function clientSettings(
  shell: Shell,
  args: readonly string[],
): readonly SettingsLayer[] {
  return readSettings({
    userFile: claudeFolder(folderFacts(shell)).settingsFile,
    folder: Deno.cwd(),
    managed: managedFolders(shell.system),
    args,
  });
}

const INFERENCE = "user:inference";
/** A login that ends while the client starts up is renewed before. */
const MARGIN_MS = 60_000;

/**
 * Returns whether the launch may leave Claude Code in its own login. tc renews
 * a login whose access token has ended, because the client would fail with it.
 * If that fails, the client gets the pool's login, and a message says why.
 */
async function hasLivingLogin(shell: Shell): Promise<boolean> {
  const facts = folderFacts(shell);
  if (!await findClaudeLogin(facts, systemRunner)) return false;
  const token = facts.environment["CLAUDE_CODE_OAUTH_TOKEN"];
  if (token && token !== LOCAL_TOKEN) return true;
  const folder = claudeFolder(facts);
  // Reading a keychain's secret could prompt before the launch.
  if (folder.login.kind !== "file") return true;
  const why = await whyNotServing(folder, shell);
  if (why === null) return true;
  shell.output.say(
    `tc: Claude Code's own login does not serve (${why}): the pool logs it in for this launch`,
  );
  return false;
}

async function whyNotServing(
  folder: ReturnType<typeof claudeFolder>,
  shell: Shell,
): Promise<string | null> {
  try {
    const place = storeOf(folder, new ForeignTexts());
    const { reading } = await place.read();
    switch (reading.kind) {
      case "absent":
      case "blank":
        return "there is none";
      case "unreadable":
        return `${place.location}: ${reading.reason}`;
      case "token": {
        const { expiresAt } = reading;
        const isOver = expiresAt !== null && expiresAt <= systemClock.now();
        return isOver ? "its token has expired" : null;
      }
      case "found": {
        const { scopes, expiresAt } = reading.login.credential;
        if (!scopes.includes(INFERENCE)) {
          return `it may not send messages (scope ${INFERENCE})`;
        }
        const isOver = expiresAt <= systemClock.now() + MARGIN_MS;
        return isOver ? await revived(place, shell) : null;
      }
    }
  } catch (cause) {
    if (cause instanceof TcError) return cause.message;
    throw cause;
  }
}

/** Returns why the login cannot be renewed, or null where it was. */
async function revived(
  place: LivePlace,
  shell: Shell,
): Promise<string | null> {
  using swap = await openSwap(outsideProfiles(shell), {
    policy: null,
    threshold: null,
  });
  const revival = await revive(place, swap.ports);
  return revival.kind === "lives" ? null : revival.reason;
}
