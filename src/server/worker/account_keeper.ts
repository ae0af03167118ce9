/**
 * The accounts of a running server: it loads them from vault and config into
 * the pool, again at each reload, and gives their credentials to the data
 * plane.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";
import type { CredentialState, PoolEvent } from "../../core/pool/pool.ts";
import { DAY_MS, MINUTE_MS, SECOND_MS } from "../../core/time.ts";
import { signInText } from "../../control/status_view.ts";
import { JsonClient } from "../../auth/json_client.ts";
import type { AccountProfile } from "../../auth/sign_in/profile.ts";
import type { OAuthProvider } from "../../auth/provider.ts";
import { Refresher } from "../../auth/refresher.ts";
import type { FamilyOwners } from "../../auth/shared/family_owners.ts";
import type {
  AccountIdentity,
  CredentialSource,
  Journal,
  Upstream,
  Vault,
  VaultDescription,
  VaultListing,
} from "../../ports.ts";
import { AccountDesk } from "../../store/account_desk.ts";
import type { AccountList } from "../../store/account_list.ts";
import { accountRows } from "../../store/account_rows.ts";
import {
  accountEvents,
  type AccountRecord,
  mergeAccounts,
  type MergedAccounts,
} from "../../store/accounts.ts";
import type { KeychainTool } from "../../store/vault/keychain_tools.ts";
import type { SharedPool } from "../../store/shared/open_shared.ts";
import type { PollTurns } from "../../store/shared/poll_turns.ts";
import { openAccounts, type OpenedAccounts } from "../open_accounts.ts";
import { systemClock } from "../../system/clock.ts";
import type { Config } from "../../config/config.ts";
import { oauthProvider } from "./oauth_provider.ts";
import type { PoolKeeper } from "./pool_keeper.ts";
import { Rounds } from "./rounds.ts";
import type { Settings } from "../../config/settings.ts";
import { USER_AGENT } from "../../release/version.ts";
import type { StartOrder } from "../worker_protocol.ts";

/** Connections to the store of a shared pool, beside the one that listens. */
const STORE_CONNECTIONS = 3;

/**
 * How soon a locked keychain is looked at again: each look may put a window
 * before the person.
 */
const LOCKED_LOOK_MS_MIN = 15 * SECOND_MS;
const LOCKED_LOOK_MS_MAX = 5 * MINUTE_MS;

interface AccountKeeperOptions {
  /** The system's keychain; null where there is none. */
  readonly keychain: KeychainTool | null;
  readonly order: StartOrder;
  readonly keeper: PoolKeeper;
  readonly upstream: Upstream;
  readonly journal: Journal;
  /** The stores of programs that share a login; null if none are read. */
  readonly owners: FamilyOwners | null;
}

export class AccountKeeper {
  readonly #options: AccountKeeperOptions;
  readonly #vault: Vault;
  readonly #list: AccountList;
  /** The shared pool that this machine is part of, or null. */
  readonly shared: SharedPool | null;
  /** Which machine asks for the usage of which account. */
  readonly pollTurns: PollTurns;
  readonly #refresher: Refresher;
  /** Reads and changes vault and config together. */
  readonly desk: AccountDesk;
  /** For tc's own requests to the provider: profile, usage, tokens. */
  readonly client: JsonClient;
  readonly provider: OAuthProvider;
  #records: readonly AccountRecord[] = [];
  #settings: Settings;
  #lastRead: Promise<unknown> = Promise.resolve();
  /** Credential states of accounts that are not in the pool yet. */
  readonly #states = new Map<AccountId, CredentialState>();
  /** Logs once a day which sign-ins end soon. */
  readonly #signIns: Rounds;
  /** Accounts behind a locked keychain, and the looks whether it still is. */
  #locked: VaultListing["damaged"] = [];
  readonly #unlocking: Rounds;
  #lockedLookMs = 0;

  private constructor(options: AccountKeeperOptions, opened: OpenedAccounts) {
    const { order, upstream, journal, owners } = options;
    const { vault, locks, list, shared } = opened;
    this.#options = options;
    this.#vault = vault;
    this.#list = list;
    this.shared = shared;
    this.pollTurns = opened.pollTurns;
    this.#settings = order.config.settings;
    this.desk = new AccountDesk({ vault, list });
    this.client = new JsonClient({
      upstream,
      clock: systemClock,
      userAgent: USER_AGENT,
    });
    this.provider = oauthProvider(order.config.settings);
    this.#signIns = new Rounds({
      failure: "sign_ins_not_watched",
      clock: systemClock,
      journal,
      afterFailureMs: DAY_MS,
      round: () => Promise.resolve(this.#tellSignIns()),
    });
    this.#unlocking = new Rounds({
      failure: "keychain_not_watched",
      clock: systemClock,
      journal,
      afterFailureMs: LOCKED_LOOK_MS_MIN,
      round: () => this.#lookAtLocked(),
    });
    this.#refresher = new Refresher({
      vault,
      locks,
      client: this.client,
      provider: this.provider,
      clock: systemClock,
      journal,
      owners,
      dispatch: (event) => this.#note(event),
      destination: (id) => {
        const record = this.#records.find(({ account }) => account.id === id);
        return {
          origin: record?.upstream ?? null,
          modelMap: record?.modelMap ?? null,
        };
      },
    });
  }

  /** Opens the vault and adds its accounts to the pool. */
  static async open(options: AccountKeeperOptions): Promise<AccountKeeper> {
    const { order } = options;
    const opened = await openAccounts({
      paths: order.paths,
      config: order.config,
      secret: order.machine,
      membership: order.store,
      authorities: order.authorities,
      mayPrompt: false,
      system: order.system,
      runner: null,
      keychain: options.keychain,
      journal: options.journal,
      connections: STORE_CONNECTIONS,
    });
    await opened.takeOver();
    const accounts = new AccountKeeper(options, opened);
    options.keeper.listen((event, { leases }) => {
      if (event.kind !== "verdict_given" || event.verdict.kind !== "served") {
        return;
      }
      const lease = leases.get(event.leaseId);
      if (lease !== undefined) accounts.#refresher.served(lease.accountId);
    });
    await accounts.load(order.config);
    accounts.#signIns.start();
    return accounts;
  }

  /** Valid tokens for the data plane; one renewal serves all who wait. */
  get credentials(): CredentialSource {
    return this.#refresher;
  }

  get records(): readonly AccountRecord[] {
    return this.#records;
  }

  /** The settings as last loaded. */
  get settings(): Settings {
    return this.#settings;
  }

  /** Names of accounts whose renewed login is not on disk. */
  get unsavedLabels(): readonly string[] {
    const labels = new Map(
      this.#records.map(({ account }) => [account.id, account.label]),
    );
    return this.#refresher.unsaved.map((id) => labels.get(id) ?? id);
  }

  /** Accounts that wait until a person unlocks the keychain. */
  get locked(): VaultListing["damaged"] {
    return this.#locked;
  }

  describeVault(): VaultDescription {
    return this.#vault.describe();
  }

  /** Reads vault and config again. Returns what changed, in words. */
  load(config: Config): Promise<readonly string[]> {
    return this.#inTurn(async () => {
      // Check first: rows that cannot be used leave everything as it was.
      const rows = accountRows(
        await this.#list.readWith(config.document),
        this.#list.place,
      );
      const { entries, damaged } = await this.#refresher.reload();
      this.#settings = config.settings;
      this.#tellDamaged(damaged);
      return this.#take(mergeAccounts(entries, rows, this.#list.others));
    });
  }

  /** Does as {@linkcode load}, with the accounts of the present config file. */
  reload(): Promise<readonly string[]> {
    return this.#inTurn(async () => {
      const listing = await this.desk.merged(await this.#refresher.reload());
      this.#tellDamaged(listing.damaged);
      return this.#take(listing);
    });
  }

  /** Runs one read after another, so that an older result cannot win. */
  #inTurn<Result>(read: () => Promise<Result>): Promise<Result> {
    const result = this.#lastRead.then(read);
    this.#lastRead = result.catch(() => {
      // The caller gets the error.
    });
    return result;
  }

  #tellDamaged(damaged: VaultListing["damaged"]): void {
    const { journal } = this.#options;
    const before = new Set(this.#locked.map(({ id }) => id));
    this.#locked = damaged.filter(({ unlock }) => unlock !== null);
    for (const { id, reason, unlock } of damaged) {
      // A locked one is looked at again and again, and told once.
      if (before.has(id) && unlock !== null) continue;
      const state = unlock === null ? "damaged" : "locked";
      journal.log("error", "vault", { account: id, state, reason });
    }
    if (this.#locked.length > 0) this.#unlocking.start();
  }

  /** Looks whether a person has unlocked the keychain. */
  async #lookAtLocked(): Promise<number> {
    // The first round follows the reading that found it locked.
    if (this.#lockedLookMs > 0 && this.#locked.length > 0) await this.reload();
    const isLocked = this.#locked.length > 0;
    this.#lockedLookMs = isLocked
      ? Math.min(
        Math.max(this.#lockedLookMs * 2, LOCKED_LOOK_MS_MIN),
        LOCKED_LOOK_MS_MAX,
      )
      : LOCKED_LOOK_MS_MIN;
    return this.#lockedLookMs;
  }

  #take({ accounts }: MergedAccounts): readonly string[] {
    const { keeper } = this.#options;
    const events = accountEvents(this.#records, accounts, systemClock.now());
    const before = keeper.state;
    this.#records = accounts;
    for (const event of events) keeper.dispatch(event);
    for (const event of events) {
      if (event.kind === "account_put") this.#tellState(event.account.id);
    }
    return events.flatMap((event) => {
      if (event.kind === "account_removed") {
        const label = before.accounts.get(event.accountId)?.account.label;
        return [`${label ?? event.accountId} removed`];
      }
      if (event.kind === "accounts_ordered" && events.length === 1) {
        return ["the order of the accounts changed"];
      }
      if (event.kind !== "account_put") return [];
      const isKnown = before.accounts.has(event.account.id);
      return [`${event.account.label} ${isKnown ? "changed" : "added"}`];
    });
  }

  /** Stores the profile. Returns false if it belongs to another account. */
  async learnProfile(id: AccountId, profile: AccountProfile): Promise<boolean> {
    let isOurs = true;
    const { identity, ...facts } = profile;
    await this.#vault.update(id, (entry) => {
      isOurs = entry.identity === null || isSame(entry.identity, identity);
      const isNews = entry.identity === null || entry.email !== facts.email ||
        entry.organization !== facts.organization || entry.tier !== facts.tier;
      return isOurs && isNews ? { ...entry, ...profile } : entry;
    });
    if (isOurs) await this.reload();
    return isOurs;
  }

  /** Waits for renewals under way, so that no new token is lost. */
  async close(): Promise<void> {
    await this.#signIns.stop();
    await this.#unlocking.stop();
    await this.#refresher.close();
    await this.shared?.close().catch(() => {
      // It is away; what it lacks is on this machine's disk.
    });
  }

  #tellSignIns(): number {
    const now = systemClock.now();
    for (const { account } of this.#records) {
      const text = account.enabled ? signInText(account, now) : null;
      if (text === null) continue;
      this.#options.journal.log("warn", "sign_in_ends", {
        account: account.id,
        label: account.label,
        reason: text,
        ends_at: account.signInEndsAt,
      });
    }
    return DAY_MS;
  }

  /** Keeps a credential's state until its account is in the pool. */
  #note(event: PoolEvent): void {
    if (event.kind === "credential_changed") {
      this.#states.set(event.accountId, event.credential);
    }
    this.#options.keeper.dispatch(event);
  }

  /**
   * Tells the pool the credential's state: a new account counts as `ready`
   * until then.
   */
  #tellState(accountId: AccountId): void {
    const credential = this.#states.get(accountId);
    if (credential === undefined) return;
    const { keeper } = this.#options;
    keeper.dispatch({ kind: "credential_changed", accountId, credential });
  }
}

function isSame(a: AccountIdentity, b: AccountIdentity): boolean {
  return a.accountUuid === b.accountUuid &&
    a.organizationUuid === b.organizationUuid;
}
