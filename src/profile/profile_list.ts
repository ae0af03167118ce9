/**
 * The profiles that there are: a name, its account, and a config folder that
 * is named by the account and so outlives a new name.
 *
 * @module
 */

import * as v from "valibot";
import { type AccountId, accountId } from "../core/account.ts";
import { EXIT, TcError, UsageError } from "../errors.ts";
import { ACCOUNT_NAME_MAX, inert, isAccountName } from "../core/plain_text.ts";
import type { Locks } from "../ports.ts";
import { PrivateJson } from "../store/files/private_json.ts";

export interface Profile {
  readonly name: string;
  /** Null until a login is saved for it. */
  readonly account: AccountId | null;
}

const row = v.object({
  name: v.pipe(v.string(), v.check(isProfileName)),
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

/** Throws UsageError where `name` cannot be a profile's name. */
export function checkProfileName(name: string): void {
  if (isProfileName(name)) return;
  throw new UsageError(
    `Cannot name a profile ${
      inert(name) || '""'
    }: it must be 1 to ${ACCOUNT_NAME_MAX} visible characters and begin with no -`,
  );
}

/** Any name that an account may have, an e-mail address too, but no option. */
function isProfileName(name: string): boolean {
  return isAccountName(name) && !name.startsWith("-");
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
    hint: "tc profile list   names them\n" +
      "tc profile add   makes one of an account",
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
