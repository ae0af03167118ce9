/**
 * Prepares a profile for a client: links its folder, puts the account's login
 * into it, and sets the account that the client shows.
 *
 * @module
 */

import { type HandedOut, handOut } from "../auth/shared/hand_out.ts";
import type { LivePlace } from "../auth/shared/live_place.ts";
import type { RefreshPorts } from "../auth/provider.ts";
import type { ClaudeFolder } from "../claude/claude_folder.ts";
import {
  isAccountOf,
  oauthAccountFor,
  oauthAccountOf,
  withOAuthAccount,
} from "../claude/login/oauth_account.ts";
import type { AccountId } from "../core/account.ts";
import type { VaultEntry } from "../ports.ts";
import type { ForeignTexts } from "../store/files/foreign_text.ts";
import { linkShared } from "./shared_links.ts";

export interface ProfilePorts extends RefreshPorts {
  readonly texts: ForeignTexts;
  /** The folder that all profiles share. */
  readonly shared: ClaudeFolder;
  /** The profile's folder. */
  readonly own: ClaudeFolder;
  readonly place: LivePlace;
}

/**
 * Prepares the profile. Throws TcError if the account has no login to hand out.
 */
export async function prepareProfile(
  account: AccountId,
  ports: ProfilePorts,
): Promise<HandedOut> {
  await setUpFolder(ports);
  const handed = await handOut(account, ports.place, ports);
  await showAccount(handed.entry, ports);
  return handed;
}

/**
 * Creates links and first notes, without a login. Returns what was merged back.
 */
export async function setUpFolder(
  { own, shared, texts }: Pick<ProfilePorts, "own" | "shared" | "texts">,
): Promise<readonly string[]> {
  const merged = await linkShared(own.folder, shared.folder);
  if (await texts.read(own.identityFile) === null) {
    await texts.replace(
      own.identityFile,
      null,
      await firstNotes(shared, texts),
    );
  }
  return merged;
}

/**
 * Returns trust, servers and what the user has seen already, without the
 * identity.
 */
async function firstNotes(
  shared: ClaudeFolder,
  texts: ForeignTexts,
): Promise<string> {
  const text = await texts.read(shared.identityFile);
  try {
    const { oauthAccount: _other, ...rest } = JSON.parse(text ?? "{}");
    return JSON.stringify(rest, null, 2);
  } catch {
    // The client creates its own.
    return "{}";
  }
}

async function showAccount(
  entry: VaultEntry,
  { own, texts }: ProfilePorts,
): Promise<void> {
  const { identity } = entry;
  if (identity === null) return;
  await texts.edit(own.identityFile, (document) => {
    const shown = oauthAccountOf(document);
    const isShown = shown !== null && isAccountOf(shown, identity);
    return isShown
      ? document
      : withOAuthAccount(document, oauthAccountFor({ ...entry, identity }));
  });
}
