/**
 * A pool in one file, encrypted with a passphrase in the age format: what `tc
 * export` writes and `tc import` reads. The `age` program opens it as well.
 *
 * @module
 */

import * as v from "valibot";
import { reasonOf, TcError } from "../errors.ts";
import type { VaultEntry } from "../ports.ts";
import type { ConfigDocument } from "./config_file.ts";
import { decodeEntry, encodeEntry } from "./vault/vault_entry.ts";

/** A pool as it moves from one machine to another. */
export interface MovedPool {
  /** The whole config file. */
  readonly config: ConfigDocument;
  readonly entries: readonly VaultEntry[];
}

const SCHEMA = "tc.pool/v1";

const CONTENT = v.looseObject({
  schema: v.literal(SCHEMA),
  config: v.record(v.string(), v.unknown()),
  entries: v.array(v.string()),
});

const AGE_HEAD = "age-encryption.org/v1";

/** Returns whether the bytes begin as a file in the age format does. */
export function isPoolFile(bytes: Uint8Array): boolean {
  const head = new TextDecoder().decode(bytes.subarray(0, AGE_HEAD.length));
  return head === AGE_HEAD;
}

/** Returns the pool as an encrypted file. */
export async function sealPool(
  { config, entries }: MovedPool,
  passphrase: string,
): Promise<Uint8Array> {
  const text = JSON.stringify({
    schema: SCHEMA,
    config,
    entries: entries.map((entry) =>
      encodeEntry({ entry, revision: 0, rest: {} })
    ),
  });
  const { Encrypter } = await import("age-encryption");
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  return await encrypter.encrypt(text);
}

/** Returns the pool in the file `name`. Throws TcError if it cannot be read. */
export async function openPool(
  bytes: Uint8Array,
  passphrase: string,
  name: string,
): Promise<MovedPool> {
  const text = await opened(bytes, passphrase, name);
  let value: unknown = null;
  try {
    value = JSON.parse(text);
  } catch {
    throw unreadable(name, "it holds no pool of tc", "no_pool");
  }
  const result = v.safeParse(CONTENT, value);
  if (!result.success) {
    throw unreadable(name, "it holds no pool of tc", "no_pool");
  }
  const { config, entries } = result.output;
  return {
    config,
    entries: entries.map((json) => decodeEntry(name, json).entry),
  };
}

async function opened(
  bytes: Uint8Array,
  passphrase: string,
  name: string,
): Promise<string> {
  const { Decrypter } = await import("age-encryption");
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  try {
    return await decrypter.decrypt(bytes, "text");
  } catch (cause) {
    if (/no identity matched/.test(reasonOf(cause))) {
      throw unreadable(name, "the passphrase is wrong", "wrong_passphrase");
    }
    throw unreadable(name, "it is damaged or incomplete", "damaged_pool");
  }
}

function unreadable(name: string, reason: string, code: string): TcError {
  return new TcError(`Cannot read ${name}: ${reason}`, {
    code,
    source: "user",
    exitCode: 65,
    hint: "Nothing was changed",
  });
}
