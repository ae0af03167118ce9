/**
 * claude-pool's own store as it stands on disk: JSON, or the same sealed for
 * its machine and user (peers 3, encryption). Read only.
 *
 * ```text
 * "CPL1" | nonce(12) | AES-256-GCM ciphertext, tag(16)
 * ```
 *
 * @module
 */

import { VaultError } from "../errors.ts";
import type { MachineFacts } from "./vault/vault_cipher.ts";

const MAGIC = new TextEncoder().encode("CPL1");
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SALT = "claude-pool/store-salt/v1";
const INFO = "claude-pool-store-v1";

/** What claude-pool takes for the id of a machine without one. */
const NO_MACHINE_ID = "claude-pool/no-machine-id";

/** Whether `bytes` are a sealed store of claude-pool. */
export function isClaudePoolSealed(bytes: Uint8Array): boolean {
  return bytes.length >= MAGIC.length &&
    MAGIC.every((byte, at) => bytes[at] === byte);
}

/** The JSON text in `bytes`; throws VaultError where it is another machine's. */
export async function openClaudePool(
  bytes: Uint8Array<ArrayBuffer>,
  machine: { readonly machineId: string | null; readonly userName: string },
): Promise<string> {
  const nonceEnd = MAGIC.length + NONCE_BYTES;
  if (bytes.length < nonceEnd + TAG_BYTES) throw unopened("it is cut short");
  try {
    const text = await crypto.subtle.decrypt(
      { name: "AES-GCM", iv: bytes.subarray(MAGIC.length, nonceEnd) },
      await poolKey({
        machineId: machine.machineId ?? NO_MACHINE_ID,
        userName: machine.userName,
      }),
      bytes.subarray(nonceEnd),
    );
    return new TextDecoder().decode(text);
  } catch {
    throw unopened("it was made by another user or machine, or is damaged");
  }
}

async function poolKey(
  { machineId, userName }: MachineFacts,
): Promise<CryptoKey> {
  const encoder = new TextEncoder();
  const source = await crypto.subtle.importKey(
    "raw",
    encoder.encode(`${machineId}\0${userName}`),
    "HKDF",
    false,
    ["deriveKey"],
  );
  return await crypto.subtle.deriveKey(
    {
      name: "HKDF",
      hash: "SHA-256",
      salt: encoder.encode(SALT),
      info: encoder.encode(INFO),
    },
    source,
    { name: "AES-GCM", length: 256 },
    false,
    ["decrypt"],
  );
}

function unopened(reason: string): VaultError {
  return new VaultError(`Cannot open the store of claude-pool: ${reason}`, {
    code: "pool_sealed",
    source: "user",
    hint: "Run the import as the user and on the machine that made it",
  });
}
