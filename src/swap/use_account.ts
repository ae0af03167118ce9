/**
 * One swap: puts an account's login into Claude Code's store, and the matching
 * identity into what the client shows.
 *
 * @module
 */

import { type HandedOut, handOut } from "../auth/shared/hand_out.ts";
import {
  isAccountOf,
  type OAuthAccount,
  oauthAccountFor,
  oauthAccountOf,
  withOAuthAccount,
} from "../claude/login/oauth_account.ts";
import type { AccountId } from "../core/account.ts";
import type { VaultEntry } from "../ports.ts";
import type { ConfigDocument } from "../store/config_file.ts";
import { leaveKeyMode } from "./key_mode.ts";
import { SWAP_LOCK, SWAP_LOCK_WAIT_MS, type SwapPorts } from "./swap_state.ts";

/** Swaps to account `id`, under the lock of all swaps. */
export async function useAccount(
  id: AccountId,
  ports: SwapPorts,
): Promise<HandedOut> {
  using _lock = await ports.locks.acquire(SWAP_LOCK, {
    waitMs: SWAP_LOCK_WAIT_MS,
  });
  return await useLocked(id, ports);
}

/** Does as {@linkcode useAccount}, for a caller that holds the lock. */
export async function useLocked(
  id: AccountId,
  ports: SwapPorts,
): Promise<HandedOut> {
  const { memory } = ports;
  await noteAccounts(ports);
  const handed = await handOut(id, ports.place, ports);
  await showAccount(handed.entry, ports);
  const state = await memory.update((before) =>
    before.account === id ? before : { ...before, account: id }
  );
  if (state.mode === "apikey") await leaveKeyMode(ports);
  return handed;
}

/** Stores what Claude Code keeps about the account it shows. */
async function noteAccounts(ports: SwapPorts): Promise<void> {
  const noted = oauthAccountOf(await identityDocument(ports));
  if (noted === null) return;
  const { entries } = await ports.vault.list();
  const owner = entries.find(({ identity }) =>
    identity !== null && isAccountOf(noted, identity)
  );
  if (owner === undefined) return;
  await ports.memory.update((state) => ({
    ...state,
    notes: { ...state.notes, [owner.id]: noted },
  }));
}

/**
 * Writes the identity that the client shows; without a `.claude.json` the
 * client asks the provider itself.
 */
async function showAccount(
  entry: VaultEntry,
  ports: SwapPorts,
): Promise<void> {
  const { identity } = entry;
  const { folder, texts, memory } = ports;
  if (identity === null) return;
  const document = await identityDocument(ports);
  if (Object.keys(document).length === 0) return;
  const shown = oauthAccountOf(document);
  if (shown !== null && isAccountOf(shown, identity)) return;
  const { notes } = await memory.load();
  const known: OAuthAccount = notes[entry.id] ??
    oauthAccountFor({ ...entry, identity });
  await texts.edit(folder.identityFile, (now) => withOAuthAccount(now, known));
}

/**
 * Returns the document; empty if it cannot be read, because it is only for
 * display.
 */
async function identityDocument(
  { texts, folder }: SwapPorts,
): Promise<ConfigDocument> {
  try {
    const text = await texts.read(folder.identityFile);
    const value: unknown = text === null ? {} : JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? value as ConfigDocument
      : {};
  } catch {
    return {};
  }
}
