/**
 * Which accounts of this machine the store does not have yet. The list is a
 * file, so that a renewed login which could not be sent is sent after a crash.
 *
 * @module
 */

import * as v from "valibot";
import { type AccountId, accountId } from "../../core/account.ts";
import type { Locks } from "../../ports.ts";
import { PrivateJson } from "../files/private_json.ts";

/** Why an account is to be sent. */
type Unsent =
  /** A person has logged in: it replaces whatever the store has. */
  | "login"
  /**
   * A person has moved it in: it replaces an account that was removed, and a
   * newer login in the store stays.
   */
  | "move"
  /** It was renewed or described anew: a newer login in the store stays. */
  | "change";

type Unsents = ReadonlyMap<AccountId, Unsent>;

const FILE = v.record(v.string(), v.picklist(["login", "move", "change"]));

/** A higher one is not forgotten for a lower one. */
const RANKS: readonly Unsent[] = ["change", "move", "login"];

/** The accounts to send, in a private file of the vault's folder. */
export class UnsentAccounts {
  readonly #file: PrivateJson<Unsents>;

  constructor(folder: string, locks: Locks) {
    this.#file = new PrivateJson<Unsents>({
      file: `${folder}/store-unsent.json`,
      locks,
      lock: "store.unsent",
      empty: new Map(),
      read,
      write: (unsents) => Object.fromEntries(unsents),
    });
  }

  async all(): Promise<Unsents> {
    return await this.#file.load();
  }

  async add(id: AccountId, why: Unsent): Promise<void> {
    await this.#file.update((known) =>
      RANKS.indexOf(known.get(id) ?? "change") > RANKS.indexOf(why)
        ? known
        : new Map(known).set(id, why)
    );
  }

  async sent(id: AccountId): Promise<void> {
    await this.#file.update((known) => {
      if (!known.has(id)) return known;
      const left = new Map(known);
      left.delete(id);
      return left;
    });
  }
}

function read(json: unknown): Unsents | null {
  const result = v.safeParse(FILE, json);
  if (!result.success) return null;
  const known = new Map<AccountId, Unsent>();
  for (const [text, why] of Object.entries(result.output)) {
    const id = accountId(text);
    if (id !== null) known.set(id, why);
  }
  return known;
}
