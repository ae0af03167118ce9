/**
 * The vault's own secret: random, made once, in a private file outside the
 * vault's folder. A copy of the vault alone, in a backup or in a repository of
 * settings, cannot be opened without it.
 *
 * @module
 */

import { VaultError } from "../../errors.ts";
import type { Entropy } from "../../ports.ts";
import { folderOf } from "../files/file_target.ts";
import { pastHoldersNow } from "../files/held_file.ts";
import {
  openOwnSync,
  refuseForeignPlace,
  tightenSecret,
  writeNew,
} from "../files/own_files.ts";

const KEY_BYTES = 32;
const SHAPE = /^[A-Za-z0-9_-]{43}$/;

/**
 * Returns the secret in `file`, base64url, and makes one if there is none;
 * processes that find none agree on one under a lock. Throws VaultError if the
 * file is damaged: a new secret would lock out every entry.
 */
export function vaultKey(file: string, entropy: Entropy): string {
  return readVaultKey(file) ?? madeKey(file, entropy);
}

/** Returns the secret in `file`, or null if there is none yet. */
export function readVaultKey(file: string): string | null {
  refuseForeignPlace(file);
  try {
    tightenSecret(file);
    const text = Deno.readTextFileSync(file).trim();
    if (SHAPE.test(text)) return text;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return null;
    throw cause;
  }
  throw new VaultError(
    `Cannot read the vault's key in ${file}: it is damaged`,
    {
      code: "vault_key_damaged",
      hint: "Bring the file back from a backup. Without it, remove it and " +
        "log in anew: tc login",
    },
  );
}

function madeKey(file: string, entropy: Entropy): string {
  Deno.mkdirSync(folderOf(file), { recursive: true, mode: 0o700 });
  return underLock(file, () => {
    const found = readVaultKey(file);
    if (found !== null) return found;
    const fresh = entropy.bytes(KEY_BYTES)
      .toBase64({ alphabet: "base64url", omitPadding: true });
    // Complete or absent, because others read it without the lock.
    writeNew(`${file}.next`, `${fresh}\n`);
    syncFile(`${file}.next`);
    pastHoldersNow(() => Deno.renameSync(`${file}.next`, file));
    return fresh;
  });
}

/**
 * Returns what `act` returns, called under the lock of `file`. Closed by hand:
 * in the executable the end of a `using` leaves the file open, and the next
 * lock of this very process would wait for ever.
 */
function underLock<Result>(file: string, act: () => Result): Result {
  const lock = openOwnSync(`${file}.lock`, { write: true });
  try {
    lock.lockSync(true);
    return act();
  } finally {
    lock.close();
  }
}

/**
 * Returns the file beside the key that notes for which machine the vault is
 * sealed.
 */
function markFile(file: string): string {
  return `${file}.machine`;
}

/** Returns the mark noted beside the secret in `file`, or null. */
export function readMark(file: string): string | null {
  try {
    refuseForeignPlace(markFile(file));
    const text = Deno.readTextFileSync(markFile(file)).trim();
    return /^[0-9a-f]{64}$/.test(text) ? text : null;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return null;
    throw cause;
  }
}

/** Notes `mark` beside the secret in `file`, if the disk allows it. */
export function writeMark(file: string, mark: string): void {
  try {
    underLock(file, () => {
      writeNew(`${markFile(file)}.next`, `${mark}\n`);
      pastHoldersNow(() =>
        Deno.renameSync(`${markFile(file)}.next`, markFile(file))
      );
    });
  } catch {
    // On a full or read-only disk the vault opens without the note.
  }
}

/** An entry that survived a power cut without its key would be lost. */
function syncFile(path: string): void {
  using file = Deno.openSync(path, { write: true });
  file.syncSync();
}
