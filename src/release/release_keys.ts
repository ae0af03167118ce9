/**
 * The keys that sign releases, and the check of a signature. There are two, so
 * that one can be retired: releases are signed with the first, and the second
 * is kept offline until then. The install scripts hold the same two.
 *
 * @module
 */

/** Ed25519 public keys, raw, base64. */
export const RELEASE_KEYS: readonly string[] = [
  "cd1XU+gcOv50Depf0f4rWtAqyJGx5UTz8qeILJl9bLM=",
  "SiohJ7KqO70WJ7JZmxp4UghqHmYG7XGXBfGXJkgePpM=",
];

const SIGNATURE_BYTES = 64;

/** Returns whether `signature` of `text` was made with one of `keys`. */
export async function isSigned(
  text: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
  keys: readonly string[] = RELEASE_KEYS,
): Promise<boolean> {
  if (signature.length !== SIGNATURE_BYTES) return false;
  for (const key of keys) {
    const publicKey = await crypto.subtle.importKey(
      "raw",
      Uint8Array.fromBase64(key),
      "Ed25519",
      false,
      ["verify"],
    );
    if (await crypto.subtle.verify("Ed25519", publicKey, signature, text)) {
      return true;
    }
  }
  return false;
}
