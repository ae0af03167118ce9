/**
 * Ids of accounts, derived from what the account is. The same login gives the
 * same id on every machine and in every process, so no account exists twice.
 *
 * @module
 */

import { ACCOUNT_NAME_MAX, accountName } from "../../core/plain_text.ts";
import { type AccountId, accountId } from "../../core/account.ts";
import {
  type AccountIdentity,
  RefreshToken,
  type Secret,
} from "../../ports.ts";

const ID_DIGITS = 20;

/** Returns the SHA-256 of `text` in hex. */
export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(text),
  );
  return [...new Uint8Array(digest)]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Returns the account id of a person in an organisation. */
export async function idOfIdentity(
  { accountUuid, organizationUuid }: AccountIdentity,
): Promise<AccountId> {
  return toId("a", await sha256(`${accountUuid}\n${organizationUuid}`));
}

/**
 * Returns the id of an account of which only its first secret is known. The
 * digits are too few to recover a secret, and the id stays when the secret
 * changes.
 */
export async function idOfSecret(
  secret: Secret | RefreshToken,
): Promise<AccountId> {
  const salt = "tc account\n";
  return secret instanceof RefreshToken
    ? toId("k", secret.hash(salt))
    : toId("k", await sha256(salt + secret.reveal()));
}

function toId(letter: string, digest: string): AccountId {
  const id = accountId(letter + digest.slice(0, ID_DIGITS));
  if (id === null) throw new TypeError("Cannot make an account id");
  return id;
}

/**
 * Returns `wanted` as the valid, free name of a new account, with the first
 * number that makes it unique. `wanted` may come from anywhere.
 */
export function freeName(wanted: string, taken: ReadonlySet<string>): string {
  const name = accountName(wanted, "account");
  for (let count = 1;; count++) {
    const end = count === 1 ? "" : `-${count}`;
    const free = accountName(
      name.slice(0, ACCOUNT_NAME_MAX - end.length),
      "account",
    ) + end;
    if (!taken.has(free)) return free;
  }
}
