/**
 * Profiles as commands use them: the list, the open sessions, and a profile's
 * Claude Code folder.
 *
 * @module
 */

import { join } from "node:path";
import { systemClock, systemEntropy } from "../../system/clock.ts";
import { routeSettings } from "../../config/settings.ts";
import { harvest } from "../../auth/shared/live_login.ts";
import {
  type ClaudeFolder,
  claudeFolder,
  folderAt,
} from "../../claude/claude_folder.ts";
import { isAlive, startOf } from "../../claude/sessions/process_life.ts";
import type { AccountId } from "../../core/account.ts";
import type { PolicyName } from "../../core/settings.ts";
import { TcError, UsageError } from "../../errors.ts";
import type { ProfilePorts } from "../../profile/launch_profile.ts";
import {
  findProfile,
  pickAccount,
  type Profile,
  ProfileList,
} from "../../profile/profile_list.ts";
import { type Processes, SessionBook } from "../../profile/session_book.ts";
import { FileLocks } from "../../store/files/lock.ts";
import { isSwappable, pollUsage } from "../../swap/poll_usage.ts";
import type { SwapPorts } from "../../swap/swap_state.ts";
import { folderFacts, storeOf } from "../login/login_stores.ts";
import { Shell } from "../shell.ts";
import { profilesFolder } from "../swap/swap_files.ts";
import { isInProfile, openSwap } from "../swap/swapping.ts";
import { commandWord } from "../../shell_words.ts";

/**
 * Returns `shell` as outside of any profile: a launch may come from within one.
 */
export function outsideProfiles(shell: Shell): Shell {
  if (!isInProfile(shell)) return shell;
  const environment = { ...shell.environment, CLAUDE_CONFIG_DIR: undefined };
  return new Shell({ environment, system: shell.system }, {
    json: shell.output.isJson,
  });
}

/** Returns the list alone, which a shell reads at its start. */
export function profileList({ paths }: Shell): ProfileList {
  const { secretsFolder } = paths;
  return new ProfileList(
    join(secretsFolder, "profiles.json"),
    new FileLocks(secretsFolder, {
      clock: systemClock,
      entropy: systemEntropy,
    }),
  );
}

export class Profiles implements Disposable {
  readonly list: ProfileList;
  readonly book: SessionBook;
  /** Claude Code's own folder and login, and what accounts need. */
  readonly ports: SwapPorts;
  readonly #shell: Shell;
  readonly #close: () => void;

  private constructor(shell: Shell, ports: SwapPorts, close: () => void) {
    const { secretsFolder, stateFolder } = shell.paths;
    this.#shell = shell;
    this.#close = close;
    this.ports = ports;
    this.list = profileList(shell);
    this.book = new SessionBook({
      file: join(stateFolder, "profile-sessions.json"),
      locks: new FileLocks(secretsFolder, {
        clock: systemClock,
        entropy: systemEntropy,
      }),
      clock: systemClock,
      processes: systemProcesses,
    });
  }

  static async open(from: Shell): Promise<Profiles> {
    const shell = outsideProfiles(from);
    const opened = await openSwap(shell, { policy: null, threshold: null });
    return new Profiles(shell, opened.ports, () => opened[Symbol.dispose]());
  }

  /** Claude Code's own folder, which all profiles share. */
  get shared(): ClaudeFolder {
    return claudeFolder(folderFacts(this.#shell));
  }

  folderOf(account: AccountId): ClaudeFolder {
    const path = join(profilesFolder(this.#shell.paths), account);
    return folderAt(path, folderFacts(this.#shell));
  }

  portsOf(account: AccountId): ProfilePorts {
    const own = this.folderOf(account);
    const { texts } = this.ports;
    const place = storeOf(own, texts);
    return { ...this.ports, shared: this.shared, own, place };
  }

  /**
   * Stores what a profile's client has renewed; after a failure the next run
   * does it.
   */
  async harvest(account: AccountId): Promise<void> {
    const ports = this.portsOf(account);
    await harvest(ports.place, ports).catch((cause) => {
      ports.journal.log("warn", "harvest", { reason: String(cause) });
    });
  }

  /** Returns the profile called `name`, or the one that the policy chooses. */
  async choose(
    name: string | null,
    policy: PolicyName | null,
  ): Promise<Profile & { readonly account: AccountId }> {
    const profiles = await this.list.load();
    if (name !== null) return saved(findProfile(profiles, name));
    const records = (await this.ports.accounts()).filter((record) =>
      isSwappable(record) &&
      profiles.some(({ account }) => account === record.account.id)
    );
    const account = records.length < 2
      ? records[0]?.account.id ?? null
      : await this.#pick(records, policy);
    const found = profiles.find((profile) => profile.account === account);
    if (found === undefined || account === null) throw noProfiles();
    return { ...found, account };
  }

  async #pick(
    records: Parameters<typeof pollUsage>[0],
    policy: PolicyName | null,
  ): Promise<AccountId | null> {
    const polled = await pollUsage(records, this.ports);
    const open = await this.book.open();
    return pickAccount({
      accounts: records.map(({ account }) => account),
      observations: polled.flatMap((result) =>
        result.kind === "known" ? [result.observation] : []
      ),
      sessions: open.map(({ account }) => account),
      settings: {
        ...routeSettings(this.#shell.config.settings),
        policy: policy ?? "scored",
      },
      at: systemClock.now(),
    });
  }

  [Symbol.dispose](): void {
    this.#close();
  }
}

function saved(
  profile: Profile,
): Profile & { readonly account: AccountId } {
  const { name, account } = profile;
  if (account !== null) return { name, account };
  throw new TcError(`Cannot use the profile ${name}: it has no login yet`, {
    code: "needs_login",
    source: "user",
    hint: `claude /login   with its account, then: tc profile save ${
      commandWord(name)
    }`,
  });
}

function noProfiles(): UsageError {
  return new UsageError(
    "Cannot pick a profile: there is none with a login",
    "tc profile add NAME   makes one of an account of the pool",
  );
}

const systemProcesses: Processes = { isAlive, mark: startOf };
