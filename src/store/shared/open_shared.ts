/**
 * Opens the vault of a machine that is part of a shared pool.
 *
 * @module
 */

import type { Clock, Entropy, Journal, Locks, Vault } from "../../ports.ts";
import { removeIfThere } from "../files/atomic.ts";
import type { OpenedVault } from "../vault/open_vault.ts";
import type { AccountList } from "../account_list.ts";
import { AccountSettings } from "./account_settings.ts";
import { storeAddress } from "./address.ts";
import { SharedDatabase } from "./database.ts";
import type { Membership } from "./membership.ts";
import { type PollTurns, SharedPollTurns } from "./poll_turns.ts";
import { PoolSeal } from "./pool_seal.ts";
import { RenewalClaims } from "./renewal_claims.ts";
import { checkStore } from "./schema.ts";
import { SharedVault } from "./shared_vault.ts";
import { onlyStore } from "./store_error.ts";
import { UnsentAccounts } from "./unsent.ts";

/** The files of a machine that is part of a pool, in its vault's folder. */
const NOTES = ["store-unsent.json", "store-settings.json"];

/** What a process holds of a shared pool, until it closes it. */
export interface SharedPool {
  readonly membership: Membership;
  readonly database: SharedDatabase;
  readonly vault: SharedVault;
  /** Who renews which login; account ids name the locks. */
  readonly locks: Locks;
  readonly settings: AccountSettings;
  /** Which machine asks for the usage of which account. */
  readonly pollTurns: PollTurns;
  /** This machine's own vault. */
  readonly own: Vault;
  /**
   * Takes over what other machines have changed, and sends what the store lacks,
   * if the database can be reached.
   */
  takeOver(): Promise<void>;
  /** Removes what this machine has noted for the pool that it leaves. */
  forget(): Promise<void>;
  close(): Promise<void>;
}

interface OpenSharedOptions {
  /** The rows of the config file. */
  readonly list: AccountList;
  /** This machine's own vault, and the folder that it uses. */
  readonly opened: OpenedVault;
  readonly folder: string;
  readonly membership: Membership;
  /** Certificates of authorities beside the system's own, as PEM; or empty. */
  readonly authorities: string;
  readonly connections: number;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly journal: Journal | null;
  /** After this long a machine that renews is taken for dead. */
  readonly claimMs?: number | undefined;
}

/** Connects at the first use. Throws TcError `bad_store_url`. */
export function openShared(options: OpenSharedOptions): SharedPool {
  const { opened, folder, membership, clock, entropy, journal } = options;
  const { machine } = membership;
  const database = new SharedDatabase({
    address: storeAddress(membership.url),
    authorities: [options.authorities, membership.authority]
      .filter((pem) => pem !== "").join("\n"),
    connections: options.connections,
  });
  const claims = new RenewalClaims({
    local: opened.locks,
    database,
    clock,
    journal,
    machine,
    run: entropy.uuid(),
    claimMs: options.claimMs,
  });
  const vault = new SharedVault({
    local: opened.vault,
    database,
    seal: new PoolSeal(membership.poolKey, entropy),
    unsent: new UnsentAccounts(folder, opened.locks),
    machine,
  });
  const settings = new AccountSettings({
    database,
    own: options.list,
    folder,
    locks: opened.locks,
    machine,
  });
  return {
    membership,
    database,
    vault,
    locks: claims,
    settings,
    pollTurns: new SharedPollTurns({ database, journal, machine }),
    own: opened.vault,
    takeOver: async () => {
      try {
        await checkStore(database);
        await vault.exchange();
        await settings.exchange();
      } catch (cause) {
        onlyStore(cause);
      }
    },
    forget: async () => {
      for (const name of NOTES) await removeIfThere(`${folder}/${name}`);
    },
    close: async () => {
      await claims.close();
      await database.close();
    },
  };
}
