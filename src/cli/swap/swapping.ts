/**
 * Opens what swapping needs: vault, provider, and Claude Code's own files.
 *
 * @module
 */

import { caCertsOf } from "../../system/authorities.ts";
import { systemClock, systemEntropy } from "../../system/clock.ts";
import { oauthProvider } from "../../server/worker/oauth_provider.ts";
import { routeSettings } from "../../config/settings.ts";
import { buildInfo } from "../../release/version.ts";
import { JsonClient } from "../../auth/json_client.ts";
import { helperCommand } from "../../claude/api_key_helper.ts";
import { claudeFolder } from "../../claude/claude_folder.ts";
import type { PolicyName, RouteSettings } from "../../core/settings.ts";
import { UsageError } from "../../errors.ts";
import type { Journal } from "../../ports.ts";
import { proxyRules } from "../../http/proxy_rules.ts";
import { UpstreamPool } from "../../http/upstream.ts";
import { accountRows } from "../../store/account_rows.ts";
import { mergeAccounts } from "../../store/accounts.ts";
import { ForeignTexts } from "../../store/files/foreign_text.ts";
import { FileLocks } from "../../store/files/lock.ts";
import {
  SWAP_LOCK,
  SwapMemory,
  type SwapPorts,
} from "../../swap/swap_state.ts";
import { openShellVault } from "../accounts/account_work.ts";
import { familyOwners, folderFacts, storeOf } from "../login/login_stores.ts";
import { lastingCommand } from "../../system/own_command.ts";
import type { Shell } from "../shell.ts";
import { SignalSafeLocks } from "../../system/signal_safe_locks.ts";
import { isProfileFolder, swapFile } from "./swap_files.ts";

/** Opened ports; disposing closes the connections. */
interface OpenedSwap extends Disposable {
  readonly ports: SwapPorts;
}

export interface SwapChoice {
  /** Null: the default for a single login, not the proxy's policy. */
  readonly policy: PolicyName | null;
  /** Used part above which `least-used` looks for another account; or null. */
  readonly threshold: number | null;
  /** Whether a hook runs it; its shell ignores the end of the client. */
  readonly isHook?: boolean;
}

/** Returns whether Claude Code runs in a profile, which must keep its login. */
export function isInProfile(shell: Shell): boolean {
  return isProfileFolder(shell, shell.paths);
}

/** Returns the state of swapping for the Claude Code of `shell`. */
export async function swapMemory(shell: Shell): Promise<SwapMemory> {
  const { paths } = shell;
  return new SwapMemory(
    await swapFile(shell, paths),
    new FileLocks(paths.secretsFolder, {
      clock: systemClock,
      entropy: systemEntropy,
    }),
  );
}

/** Opens everything for a swap. Throws UsageError in a profile. */
export async function openSwap(
  shell: Shell,
  choice: SwapChoice,
): Promise<OpenedSwap> {
  if (isInProfile(shell)) {
    throw new UsageError(
      "Cannot swap in a profile: it belongs to one account",
      "Without CLAUDE_CONFIG_DIR it is Claude Code's own login",
    );
  }
  const { vault, locks } = await openShellVault(shell);
  const steady = new SignalSafeLocks({
    locks,
    system: shell.system,
    // A whole swap may take long, and nothing is lost by ending it.
    except: SWAP_LOCK,
    signals: choice.isHook ? ["SIGINT"] : ["SIGINT", "SIGTERM", "SIGHUP"],
    say: (words) => shell.output.say(words),
  });
  const upstream = upstreamOf(shell);
  const folder = claudeFolder(folderFacts(shell));
  const texts = new ForeignTexts();
  const ports: SwapPorts = {
    vault,
    locks: steady,
    client: new JsonClient({
      upstream,
      clock: systemClock,
      userAgent: `tc/${buildInfo().version}`,
    }),
    provider: oauthProvider(shell.config.settings),
    clock: systemClock,
    journal: quietJournal(shell),
    owners: familyOwners(shell),
    place: storeOf(folder, texts),
    folder,
    texts,
    memory: await swapMemory(shell),
    accounts: async () => {
      const { document, file } = shell.config;
      const { entries } = await vault.list();
      return mergeAccounts(entries, accountRows(document, file)).accounts;
    },
    settings: settingsOf(shell, choice),
    helper: helperCommand(
      lastingCommand(["swap", "helper"], shell.system),
      shell.system,
    ),
  };
  return { ports, [Symbol.dispose]: () => upstream.close() };
}

/** Returns the upstream connections, configured as in the server. */
export function upstreamOf(shell: Shell): UpstreamPool {
  const { environment, config } = shell;
  const { upstreamProxy, timeouts } = config.settings;
  const named = environment["HTTPS_PROXY"] || environment["https_proxy"];
  return new UpstreamPool({
    clock: systemClock,
    proxyFor: proxyRules({
      httpsProxy: upstreamProxy || named || null,
      httpProxy: upstreamProxy || null,
      noProxy: environment["NO_PROXY"] || environment["no_proxy"] || null,
    }),
    caCerts: caCertsOf(shell.authorities),
    limits: { connectMs: timeouts.connectMs },
  });
}

function settingsOf(
  shell: Shell,
  { policy, threshold }: SwapChoice,
): RouteSettings {
  return {
    ...routeSettings(shell.config.settings),
    policy: policy ?? "least-used",
    // Compare the polled figures as they are: the margin keeps the choice from
    // flipping.
    leastUsedThreshold: threshold ?? 0,
  };
}

/** Returns a journal that prints only with TC_DEBUG. */
export function quietJournal(shell: Shell): Journal {
  return {
    log(level, event, fields): void {
      if (!shell.environment["TC_DEBUG"]) return;
      shell.output.say(`${level} ${event} ${JSON.stringify(fields)}`);
    },
  };
}
