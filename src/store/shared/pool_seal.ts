/**
 * How the accounts of a shared pool are encrypted before they leave a machine,
 * and the text with which a further machine gets the key.
 *
 * @module
 */

import { EXIT, TcError } from "../../errors.ts";
import type { Entropy } from "../../ports.ts";
import {
  NO_MACHINE_ID,
  NO_USER_NAME,
  VaultCipher,
} from "../vault/vault_cipher.ts";
import {
  decodeEntry,
  encodeEntry,
  type StoredEntry,
} from "../vault/vault_entry.ts";
import type { AccountId } from "../../core/account.ts";

const KEY_BYTES = 32;
const KEY_SHAPE = /^[A-Za-z0-9_-]{43}$/;

/** Returns a new random key for a pool, as base64url. */
export function newPoolKey(entropy: Entropy): string {
  return base64url(entropy.bytes(KEY_BYTES));
}

/** Encrypts the entries of one pool, in the form of the vault's files. */
export class PoolSeal {
  readonly #cipher: VaultCipher;

  constructor(poolKey: string, entropy: Entropy) {
    // Every machine must be able to open it, so no machine is part of the key.
    this.#cipher = new VaultCipher({
      vaultKey: poolKey,
      machineId: NO_MACHINE_ID,
      userName: NO_USER_NAME,
    }, entropy);
  }

  async seal(stored: StoredEntry): Promise<Uint8Array> {
    const text = new TextEncoder().encode(encodeEntry(stored));
    return await this.#cipher.seal(stored.entry.id, text);
  }

  /** Throws VaultError for another pool's key, and for changed bytes. */
  async open(id: AccountId, sealed: Uint8Array): Promise<StoredEntry> {
    const text = await this.#cipher.open(id, new Uint8Array(sealed));
    return decodeEntry(id, new TextDecoder().decode(text));
  }

  /** Returns a text that only this key makes, to tell a wrong key. */
  async mark(): Promise<Uint8Array> {
    return await this.#cipher.seal(MARK, new TextEncoder().encode(MARK));
  }

  /** Returns whether `mark` was made with this key. */
  async isOurs(mark: Uint8Array): Promise<boolean> {
    try {
      await this.#cipher.open(MARK, new Uint8Array(mark));
      return true;
    } catch {
      return false;
    }
  }
}

const MARK = "tc/pool";

/** What a further machine needs: where the store is, and the key. */
export interface Invitation {
  readonly url: string;
  readonly poolKey: string;
  /** The authority of the database's certificate, as PEM; or empty. */
  readonly authority: string;
}

const PREFIX = "tcpool1.";

/** Returns the invitation as one line. It is a secret: it opens every account. */
export function invitationText(
  { url, poolKey, authority }: Invitation,
): string {
  const json = JSON.stringify({
    url,
    key: poolKey,
    ...authority === "" ? {} : { authority },
  });
  return PREFIX + base64url(new TextEncoder().encode(json));
}

/** Returns whether `text` looks like an invitation. */
export function isInvitation(text: string): boolean {
  return text.startsWith(PREFIX);
}

/** Reads an invitation. Throws TcError `bad_invitation` that quotes nothing. */
export function readInvitation(text: string): Invitation {
  try {
    const bytes = Uint8Array.fromBase64(text.slice(PREFIX.length), {
      alphabet: "base64url",
    });
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof value === "object" && value !== null) {
      const { url, key, authority = "" } = value as Readonly<
        Record<string, unknown>
      >;
      if (
        typeof url === "string" && typeof key === "string" &&
        typeof authority === "string" && KEY_SHAPE.test(key)
      ) return { url, poolKey: key, authority };
    }
  } catch {
    // Cut short or mistyped; what it held is not told.
  }
  throw new TcError("Cannot use the invitation: it is cut short or mistyped", {
    code: "bad_invitation",
    source: "user",
    exitCode: EXIT.usage,
    hint: "tc store invite   prints it again, on a machine of the pool",
  });
}

function base64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
