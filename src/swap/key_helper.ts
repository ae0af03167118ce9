/**
 * The next API key in turn, for `apiKeyHelper`.
 *
 * @module
 */

import { EXIT, TcError } from "../errors.ts";
import type { Secret } from "../ports.ts";
import { isFallbackKey } from "./key_mode.ts";
import type { SwapPorts } from "./swap_ports.ts";

/** The key whose turn it is. Throws where there is none. */
export async function nextKey(
  ports: Pick<SwapPorts, "memory" | "accounts" | "vault">,
): Promise<Secret> {
  const { memory, accounts, vault } = ports;
  const keys = (await accounts()).filter(isFallbackKey)
    .map(({ account }) => account.id);
  const state = await memory.update((before) => {
    const at = before.key === null ? -1 : keys.indexOf(before.key);
    return { ...before, key: keys[(at + 1) % keys.length] ?? null };
  });
  const entry = state.key === null ? null : await vault.get(state.key);
  if (entry?.credential.kind !== "api_key") {
    throw new TcError("Cannot print a key: there is none in the pool", {
      code: "no_key",
      exitCode: EXIT.needsLogin,
      hint: "tc swap key add",
    });
  }
  return entry.credential.token;
}
