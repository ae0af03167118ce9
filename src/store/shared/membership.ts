/**
 * That this machine is part of a shared pool: the store's address, the pool's
 * key and the machine's own name, sealed in one file beside the vault.
 *
 * @module
 */

import * as v from "valibot";
import { VaultError } from "../../errors.ts";
import type { Entropy } from "../../ports.ts";
import {
  ensurePrivateFolder,
  readIfThere,
  removeIfThere,
  writeAtomic,
} from "../files/atomic.ts";
import { folderOf } from "../files/file_target.ts";
import { type MachineSecret, VaultCipher } from "../vault/vault_cipher.ts";

/** What this machine knows of the shared pool that it is part of. */
export interface Membership {
  /** The store's address with its password: a secret. */
  readonly url: string;
  /** Opens the accounts in the store: a secret. */
  readonly poolKey: string;
  /** Random, this machine's own. */
  readonly machine: string;
  /** What a person calls this machine. */
  readonly name: string;
  /** The authority of the database's certificate, as PEM; or empty. */
  readonly authority: string;
}

const text = v.pipe(v.string(), v.minLength(1));
const MEMBERSHIP = v.object({
  url: text,
  poolKey: text,
  machine: text,
  name: text,
  authority: v.optional(v.string(), ""),
});

/** The name under which the file is sealed. */
const NAME = "store";

/** Returns the file of the membership, in the folder of tc's secrets. */
export function membershipFile(secretsFolder: string): string {
  return `${secretsFolder}/store.sealed`;
}

/**
 * Returns the membership, or null on a machine that is part of no shared pool.
 * Throws VaultError if it is there and cannot be read: without it this machine
 * would renew logins that others hold.
 */
export async function readMembership(
  file: string,
  secret: MachineSecret,
  entropy: Entropy,
): Promise<Membership | null> {
  const bytes = await readIfThere(file);
  if (bytes === null) return null;
  const opened = await new VaultCipher(secret, entropy).open(NAME, bytes);
  const result = v.safeParse(
    MEMBERSHIP,
    JSON.parse(new TextDecoder().decode(opened)),
  );
  if (result.success) return result.output;
  throw new VaultError(`Cannot read ${file}: it is damaged`, {
    code: "vault_damaged",
    hint: "tc store leave --force, then tc store join",
  });
}

/** Writes the membership, durable when it resolves. */
export async function writeMembership(
  file: string,
  membership: Membership,
  ports: { readonly secret: MachineSecret; readonly entropy: Entropy },
): Promise<void> {
  await ensurePrivateFolder(folderOf(file));
  const cipher = new VaultCipher(ports.secret, ports.entropy);
  const json = JSON.stringify(membership);
  const sealed = await cipher.seal(NAME, new TextEncoder().encode(json));
  await writeAtomic(file, sealed);
}

/** Returns whether there was one. */
export async function removeMembership(file: string): Promise<boolean> {
  return await removeIfThere(file);
}
