/**
 * The profiles that there are: a name, its account, and a config folder that
 * is named by the account and so outlives a new name.
 *
 * @module
 */

import * as v from "valibot";
import { type AccountId, accountId } from "../core/account.ts";
import { EXIT, TcError, UsageError } from "../errors.ts";
import type { Locks } from "../ports.ts";
import { PrivateJson } from "../store/private_json.ts";

export interface Profile {
  readonly name: string;
  /** Null until a login is saved for it. */
  readonly account: AccountId | null;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$/;

const row = v.object({
  name: v.pipe(v.string(), v.regex(NAME)),
  account: v.pipe(
    v.nullable(v.string()),
    v.transform((text) => text === null ? null : accountId(text)),
  ),
});

const rows = v.array(row);

/** The list in a private file. */
export class ProfileList extends PrivateJson<readonly Profile[]> {
  constructor(file: string, locks: Locks) {
    super({
      file,
      locks,
      lock: "profiles",
      empty: [],
      read(json) {
        const result = v.safeParse(rows, json);
        return result.success ? result.output : null;
      },
    });
  }
}

/** A profile's name is part of a shell function's: `cl-work`. */
export function checkProfileName(name: string): void {
  if (NAME.test(name)) return;
  throw new UsageError(
    `Cannot name a profile "${name}": letters, digits, dots, - and _, at most 40`,
  );
}

/** The profile called `name`; throws where there is none. */
export function findProfile(
  profiles: readonly Profile[],
  name: string,
): Profile {
  const found = profiles.find((profile) => profile.name === name);
  if (found !== undefined) return found;
  throw new TcError(`Cannot find the profile ${name}`, {
    code: "no_such_profile",
    source: "user",
    exitCode: EXIT.usage,
    hint: `tc profile add ${name}\ntc profile list`,
  });
}

/** `profiles` with `account` for `name`; refuses what would mix two accounts. */
export function bound(
  profiles: readonly Profile[],
  name: string,
  account: AccountId,
): readonly Profile[] {
  const other = profiles.find((profile) =>
    profile.account === account && profile.name !== name
  );
  if (other !== undefined) {
    throw new UsageError(
      `Cannot save the login as ${name}: it is stored as ${other.name} already`,
      `tc run --profile ${other.name}`,
    );
  }
  const known = profiles.find((profile) => profile.name === name);
  if (known?.account === account) return profiles;
  if (known !== undefined && known.account !== null) {
    throw new UsageError(
      `Cannot save the login as ${name}: it is of another account`,
      `claude /login   with the account of ${name} first`,
    );
  }
  return [
    ...profiles.filter((profile) => profile.name !== name),
    { name, account },
  ];
}
