/**
 * The accounts of a running server: out of vault and config into the pool, and
 * again at each reload; and their credentials for the data plane.
 *
 * @module
 */

import { join } from "node:path";
import type { AccountId } from "../core/account.ts";
import type {
  Authorization,
  CredentialSource,
  Journal,
  Upstream,
  VaultDescription,
  VaultListing,
} from "../ports.ts";
import { TcError } from "../errors.ts";
import { AccountDesk } from "../store/account_desk.ts";
import { accountRows } from "../store/account_rows.ts";
import {
  accountEvents,
  type AccountRecord,
  mergeAccounts,
  type MergedAccounts,
} from "../store/accounts.ts";
import { type OpenedVault, openVault } from "../store/open_vault.ts";
import { systemClock, systemEntropy } from "./clock.ts";
import type { Config } from "./config.ts";
import type { Paths } from "./paths.ts";
import type { PoolKeeper } from "./pool_keeper.ts";
import type { StartOrder } from "./worker_protocol.ts";

export interface AccountKeeperOptions {
  readonly order: StartOrder;
  readonly keeper: PoolKeeper;
  readonly upstream: Upstream;
  readonly journal: Journal;
}

/** The folder of the vault's files. */
export function vaultFolder(paths: Paths): string {
  return join(paths.secretsFolder, "vault");
}

export class AccountKeeper {
  readonly #options: AccountKeeperOptions;
  readonly #opened: OpenedVault;
  readonly credentials: CredentialSource;
  /** Reads and changes vault and config together. */
  readonly desk: AccountDesk;
  #records: readonly AccountRecord[] = [];

  private constructor(options: AccountKeeperOptions, opened: OpenedVault) {
    this.#options = options;
    this.#opened = opened;
    this.desk = new AccountDesk({
      vault: opened.vault,
      configFile: options.order.config.file,
      clock: systemClock,
      entropy: systemEntropy,
    });
    this.credentials = {
      authorization: (id) => this.#authorization(id),
      renew: () => Promise.resolve(null),
    };
  }

  /** Opens the vault and puts its accounts into the pool. */
  static async open(options: AccountKeeperOptions): Promise<AccountKeeper> {
    const { order } = options;
    const opened = await openVault({
      folder: vaultFolder(order.paths),
      secret: order.machine,
      wanted: order.config.settings.vault.backend === "keychain"
        ? "keychain"
        : "file",
      mayPrompt: false,
      os: Deno.build.os,
    }, { clock: systemClock, entropy: systemEntropy, runner: null });
    const accounts = new AccountKeeper(options, opened);
    await accounts.load(order.config);
    return accounts;
  }

  get records(): readonly AccountRecord[] {
    return this.#records;
  }

  describeVault(): VaultDescription {
    return this.#opened.vault.describe();
  }

  /** Reads vault and config again; what changed, in words. */
  async load({ document, file }: Config): Promise<readonly string[]> {
    const { entries, damaged } = await this.#opened.vault.list();
    this.#tellDamaged(damaged);
    return this.#take(mergeAccounts(entries, accountRows(document, file)));
  }

  /** As {@linkcode load}, with the accounts of the config file as it is now. */
  async reload(): Promise<readonly string[]> {
    const listing = await this.desk.list();
    this.#tellDamaged(listing.damaged);
    return this.#take(listing);
  }

  #tellDamaged(damaged: VaultListing["damaged"]): void {
    const { journal } = this.#options;
    for (const { id, reason } of damaged) {
      journal.log("error", "vault", { account: id, state: "damaged", reason });
    }
  }

  #take({ accounts }: MergedAccounts): readonly string[] {
    const { keeper } = this.#options;
    const events = accountEvents(this.#records, accounts, systemClock.now());
    const before = keeper.state;
    this.#records = accounts;
    for (const event of events) keeper.dispatch(event);
    return events.flatMap((event) => {
      if (event.kind === "account_removed") {
        const label = before.accounts.get(event.accountId)?.account.label;
        return [`${label ?? event.accountId} removed`];
      }
      if (event.kind !== "account_put") return [];
      const isKnown = before.accounts.has(event.account.id);
      return [`${event.account.label} ${isKnown ? "changed" : "added"}`];
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #authorization(accountId: AccountId): Promise<Authorization> {
    const entry = await this.#opened.vault.get(accountId);
    if (entry === null) {
      throw new TcError("Cannot use the account: it has no credential", {
        code: "needs_login",
      });
    }
    const { credential } = entry;
    const record = this.#records.find(({ account }) =>
      account.id === accountId
    );
    return {
      accountId,
      scheme: credential.kind === "api_key"
        ? "api_key"
        : credential.kind === "bearer"
        ? "bearer"
        : "oauth",
      token: credential.kind === "oauth"
        ? credential.accessToken
        : credential.token,
      origin: record?.upstream ?? null,
      modelMap: record?.modelMap ?? null,
    };
  }
}
