/**
 * The sealed form of one vault entry: AES-256-GCM under a key that is made of a
 * random secret of this vault, this machine, and this user. It keeps tokens out
 * of backups, syncs, and copies that do not hold the secret as well; it does not
 * keep them from a program that runs as the same user.
 *
 * Version 1 had no secret: machine id and user name are readable by everybody,
 * so whoever got the files could open them. Such files are read, and sealed
 * anew.
 *
 * ```text
 * "TCV" version | key check(8) | salt(16) | nonce(12) | ciphertext, tag(16)
 * ```
 *
 * The head is authenticated with the text, and so is the entry's name: a file
 * under another name does not open.
 *
 * @module
 */

import { VaultError } from "../../errors.ts";
import type { Entropy } from "../../ports.ts";

const MAGIC = new Uint8Array([0x54, 0x43, 0x56]);
/** Sealed without a secret. */
const OPEN_VERSION = 1;
const VERSION = 2;
const CHECK_BYTES = 8;
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CHECK_AT = MAGIC.length + 1;
const SALT_AT = CHECK_AT + CHECK_BYTES;
const NONCE_AT = SALT_AT + SALT_BYTES;
const TEXT_AT = NONCE_AT + NONCE_BYTES;

const KEY_INFO = "tc/vault/key/v1";
const CHECK_INFO = "tc/vault/check/v1";

/**
 * In place of the id on a system without one; the vault is then bound only to
 * the user.
 */
export const NO_MACHINE_ID = "tc/no-machine-id";
/** In place of the user's name on a system that does not tell it. */
export const NO_USER_NAME = "user";

/** Machine and user, which everybody on most systems can read. */
export interface MachineFacts {
  readonly machineId: string;
  readonly userName: string;
}

/** What the key is made of: whoever has all of it can open the vault. */
export interface MachineSecret extends MachineFacts {
  /** Random, in a private file outside the vault's folder; base64url. */
  readonly vaultKey: string;
}

/** Seals and opens entries of one machine and user. */
export class VaultCipher {
  readonly #secret: MachineSecret;
  readonly #entropy: Entropy;
  readonly #sources = new Map<string, Promise<CryptoKey>>();

  constructor(secret: MachineSecret, entropy: Entropy) {
    this.#secret = secret;
    this.#entropy = entropy;
  }

  /** Returns the sealed form of `text` for the entry called `name`. */
  async seal(
    name: string,
    text: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const salt = this.#entropy.bytes(SALT_BYTES);
    const nonce = this.#entropy.bytes(NONCE_BYTES);
    const head = new Uint8Array(TEXT_AT);
    head.set(MAGIC);
    head[MAGIC.length] = VERSION;
    head.set(await this.#check(VERSION, this.#secret), CHECK_AT);
    head.set(salt, SALT_AT);
    head.set(nonce, NONCE_AT);
    const sealed = await crypto.subtle.encrypt(
      { name: "AES-GCM", iv: nonce, additionalData: bound(head, name) },
      await this.#key(salt, VERSION, this.#secret),
      text,
    );
    return concat(head, new Uint8Array(sealed));
  }

  /**
   * Returns the text of `sealed`. Throws VaultError that says what is wrong
   * with it.
   */
  async open(
    name: string,
    sealed: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (
      sealed.length < TEXT_AT + TAG_BYTES ||
      MAGIC.some((byte, index) => sealed[index] !== byte)
    ) throw damaged(name, "it is no vault file or cut short");
    const version = sealed[MAGIC.length] ?? 0;
    if (version !== VERSION && version !== OPEN_VERSION) {
      throw new VaultError(
        `Cannot read the vault entry ${name}: its version is ${version}, and this tc knows ${VERSION}`,
        { code: "vault_newer", hint: "tc upgrade" },
      );
    }
    const head = sealed.slice(0, TEXT_AT);
    const secret = await this.#secretOf(head, version);
    if (secret === null) {
      throw new VaultError(
        `Cannot read the vault entry ${name}: it was sealed on another machine, by another user, or with another vault key`,
        {
          code: "vault_foreign",
          hint: "Bring back the vault.key that belongs to it, " +
            "or log in anew: tc login",
        },
      );
    }
    try {
      const text = await crypto.subtle.decrypt(
        {
          name: "AES-GCM",
          iv: head.slice(NONCE_AT, TEXT_AT),
          additionalData: bound(head, name),
        },
        await this.#key(head.slice(SALT_AT, NONCE_AT), version, secret),
        sealed.slice(TEXT_AT),
      );
      return new Uint8Array(text);
    } catch (cause) {
      throw damaged(name, "its bytes were changed", cause);
    }
  }

  /**
   * Returns whether `sealed` should be sealed again: it was sealed without a
   * secret, or when the system did not tell its id or the user's name.
   */
  async isStale(sealed: Uint8Array<ArrayBuffer>): Promise<boolean> {
    if (isSealedOpenly(sealed)) return true;
    const version = sealed[MAGIC.length] ?? 0;
    if (sealed.length < TEXT_AT || version !== VERSION) return false;
    const secret = await this.#secretOf(sealed.slice(0, TEXT_AT), version);
    return secret !== null && secret !== this.#secret;
  }

  /**
   * Returns the secret that `head` was sealed with, or null if it was another
   * one.
   */
  async #secretOf(
    head: Uint8Array<ArrayBuffer>,
    version: number,
  ): Promise<MachineSecret | null> {
    for (const secret of [this.#secret, ...lesserSecrets(this.#secret)]) {
      const check = await this.#check(version, secret);
      if (check.every((byte, index) => head[CHECK_AT + index] === byte)) {
        return secret;
      }
    }
    return null;
  }

  async #key(
    salt: Uint8Array<ArrayBuffer>,
    version: number,
    secret: MachineSecret,
  ): Promise<CryptoKey> {
    return await crypto.subtle.deriveKey(
      { name: "HKDF", hash: "SHA-256", salt, info: utf8(KEY_INFO) },
      await this.#material(version, secret),
      { name: "AES-GCM", length: 256 },
      false,
      ["encrypt", "decrypt"],
    );
  }

  /**
   * Tells another machine's key from damage; it reveals nothing about the key.
   */
  async #check(
    version: number,
    secret: MachineSecret,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const bits = await crypto.subtle.deriveBits(
      {
        name: "HKDF",
        hash: "SHA-256",
        salt: new Uint8Array(),
        info: utf8(CHECK_INFO),
      },
      await this.#material(version, secret),
      CHECK_BYTES * 8,
    );
    return new Uint8Array(bits);
  }

  #material(
    version: number,
    { machineId, userName, vaultKey }: MachineSecret,
  ): Promise<CryptoKey> {
    const text = version === OPEN_VERSION
      ? `${machineId}\0${userName}`
      : `${vaultKey}\0${machineId}\0${userName}`;
    const known = this.#sources.get(text);
    if (known !== undefined) return known;
    const source = crypto.subtle.importKey("raw", utf8(text), "HKDF", false, [
      "deriveKey",
      "deriveBits",
    ]);
    this.#sources.set(text, source);
    return source;
  }
}

/**
 * Returns the secrets from times when the system told less than it does now.
 */
function lesserSecrets(secret: MachineSecret): readonly MachineSecret[] {
  const lesser: MachineSecret[] = [];
  for (const machineId of [secret.machineId, NO_MACHINE_ID]) {
    for (const userName of [secret.userName, NO_USER_NAME]) {
      lesser.push({ ...secret, machineId, userName });
    }
  }
  return lesser.slice(1);
}

/** Returns whether `sealed` was sealed without a secret. */
function isSealedOpenly(sealed: Uint8Array): boolean {
  return MAGIC.every((byte, index) => sealed[index] === byte) &&
    sealed[MAGIC.length] === OPEN_VERSION;
}

function damaged(name: string, reason: string, cause?: unknown): VaultError {
  return new VaultError(`Cannot read the vault entry ${name}: ${reason}`, {
    code: "vault_damaged",
    hint: "Log in anew: tc login; the damaged file is kept aside",
    cause,
  });
}

function bound(
  head: Uint8Array<ArrayBuffer>,
  name: string,
): Uint8Array<ArrayBuffer> {
  return concat(head, utf8(name));
}

function concat(
  first: Uint8Array,
  second: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
