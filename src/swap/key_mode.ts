/**
 * API-key mode: puts tc's `apiKeyHelper` into Claude Code's settings, gives it the
 * keys in turn, and later puts back what stood there.
 *
 * The state is written before the settings and cleared after them, so that another
 * program's helper is always in one of the two.
 *
 * @module
 */

import { helperOf, isOurHelper, withHelper } from "../claude/api_key_helper.ts";
import { EXIT, TcError } from "../errors.ts";
import { parseConfig } from "../store/config_file.ts";
import type { AccountRecord } from "../store/accounts.ts";
import type { SwapPorts, SwapState } from "./swap_state.ts";
import type { Secret } from "../ports.ts";

/**
 * Returns whether the account's key may serve when all subscriptions are used
 * up.
 */
export function isFallbackKey({ account }: AccountRecord): boolean {
  return account.kind === "api_key" && account.enabled;
}

/** Puts tc's helper into the settings. Throws if they cannot be changed. */
export async function enterKeyMode(ports: SwapPorts): Promise<void> {
  const { memory, texts, folder, helper } = ports;
  const live = await liveHelper(ports);
  const isForeign = live !== null && !isOurHelper(live, ports.helper);
  const before = await memory.load();
  await memory.update((state) => ({
    ...state,
    mode: "apikey",
    savedHelper: isForeign ? live : state.savedHelper,
  }));
  try {
    await texts.edit(
      folder.settingsFile,
      (document) => withHelper(document, helper),
    );
  } catch (error) {
    // A write that failed at its end may have succeeded: then tc's helper is
    // there.
    const now = await liveHelper(ports);
    if (now === null || !isOurHelper(now, ports.helper)) {
      await memory.update((state) => ({
        ...state,
        mode: before.mode,
        savedHelper: before.savedHelper,
      }));
    }
    throw error;
  }
}

/** Restores what the settings had before, and uses a login again. */
export async function leaveKeyMode(ports: SwapPorts): Promise<void> {
  const { memory, texts, folder } = ports;
  const { savedHelper } = await memory.load();
  await texts.edit(folder.settingsFile, (document) => {
    const live = helperOf(document);
    // If a person has written another helper over tc's, it stays.
    const isOthers = live !== null && !isOurHelper(live, ports.helper);
    return isOthers ? document : withHelper(document, savedHelper);
  });
  await memory.update((state) => ({
    ...state,
    mode: "account",
    savedHelper: null,
    wakeAt: null,
  }));
}

/**
 * Reconciles state and settings after a crash or an edit by hand: the settings
 * win, and tc's helper is removed if there are no keys to print.
 */
export async function reconcile(
  ports: SwapPorts,
  hasKeys: boolean,
): Promise<SwapState> {
  const state = await ports.memory.load();
  const isKeyMode = state.mode === "apikey";
  const live = await liveHelper(ports).catch((error) => {
    // Unreadable settings do not prevent a swap.
    if (isKeyMode || !(error instanceof TcError)) throw error;
    return null;
  });
  const isOurs = live !== null && isOurHelper(live, ports.helper);
  if (isKeyMode && isOurs && hasKeys) return state;
  if (isKeyMode || isOurs) await leaveKeyMode(ports);
  return await ports.memory.load();
}

async function liveHelper(
  { texts, folder }: SwapPorts,
): Promise<string | null> {
  const text = await texts.read(folder.settingsFile);
  return text === null
    ? null
    : helperOf(parseConfig(text, folder.settingsFile));
}

/** Returns the next key in turn. Throws TcError if there is none. */
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
