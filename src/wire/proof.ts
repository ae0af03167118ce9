/**
 * How a server shows that it has the local key without showing the key: it
 * answers a nonce with an HMAC. A client asks for that before it sends the key
 * or a prompt, so that a stranger on the port gets neither.
 *
 * @module
 */

/** `GET /tc/v1/proof?nonce=…`; the only path that needs no key. */
export const PROOF_PATH = "/tc/v1/proof";

const NONCE = /^[A-Za-z0-9_-]{22,86}$/;

/** Returns the nonce of a target that asks for a proof, or null. */
export function nonceOf(target: string): string | null {
  const prefix = `${PROOF_PATH}?nonce=`;
  if (!target.startsWith(prefix)) return null;
  const nonce = target.slice(prefix.length);
  return NONCE.test(nonce) ? nonce : null;
}

/**
 * Returns what the server on `port` signs with the key, by HMAC-SHA256. The
 * port is part of it, or a stranger could pass on the proof of a server on
 * another port.
 */
export function proofText(
  { port, nonce }: { readonly port: number; readonly nonce: string },
): string {
  return `tc proof 1\n${port}\n${nonce}`;
}
