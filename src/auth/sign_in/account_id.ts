/**
 * Ids of accounts, made of what the account is: the same login gives the same
 * id on every machine and in every process, so none is there twice.
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

/** SHA-256 of `text` in hex. */
export async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(text),
  );
  return [...new Uint8Array(digest)]
    .map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The id of the account of a person in an organisation. */
export async function idOfIdentity(
  { accountUuid, organizationUuid }: AccountIdentity,
): Promise<AccountId> {
  return toId("a", await sha256(`${accountUuid}\n${organizationUuid}`));
}

/**
 * The id of an account of which nothing is known but its first secret. The
 * digits are too few to find a secret by, and it stays when the secret changes.
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
 * Returns `wanted`, which may come from anywhere, as the name of a new account:
 * a valid name, with the first number that makes it one that nobody has.
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
