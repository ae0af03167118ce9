/**
 * The local key: created once, kept beside the vault, and sent by every client.
 *
 * @module
 */

import { join } from "node:path";
import { TcError } from "../errors.ts";
import { type Entropy, Secret } from "../ports.ts";
import { pastHoldersNow } from "../store/files/held_file.ts";
import {
  openOwnSync,
  refuseForeign,
  refuseForeignPlace,
  tightenSecret,
  writeNew,
} from "../store/files/own_files.ts";
import type { Config } from "./config.ts";
import type { Paths } from "../system/paths.ts";
import { KEY_SHAPE } from "./setting_kinds.ts";

const KEY_FILE = "key";

/**
 * Returns the key of this pool: from the config, or else from the file, or else
 * a new random one. Processes that find none agree on one under a lock. An
 * empty file counts as none: a crash or a full disk left it, and nobody has its
 * key.
 */
export function localKey(
  config: Config,
  paths: Paths,
  entropy: Entropy,
): Secret {
  const written = config.settings.proxy.apiKey;
  // The settings have checked its form.
  if (written !== "") return new Secret(written);
  const file = join(paths.secretsFolder, KEY_FILE);
  return readKey(file) ?? madeKey(file, paths.secretsFolder, entropy);
}

function madeKey(file: string, folder: string, entropy: Entropy): Secret {
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  refuseForeign(folder);
  using lock = openOwnSync(`${file}.lock`, { write: true });
  lock.lockSync(true);
  const found = readKey(file);
  if (found !== null) return found;
  const fresh = `tc-${base64Url(entropy.bytes(24))}`;
  // Written atomically, because others read it without the lock.
  writeNew(`${file}.next`, `${fresh}\n`);
  pastHoldersNow(() => Deno.renameSync(`${file}.next`, file));
  return new Secret(fresh);
}

function readKey(file: string): Secret | null {
  refuseForeignPlace(file);
  try {
    tightenSecret(file);
    const text = Deno.readTextFileSync(file).trim();
    return text === "" ? null : checked(text, file);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return null;
    throw cause;
  }
}

function checked(key: string, file: string): Secret {
  if (KEY_SHAPE.test(key)) return new Secret(key);
  throw new TcError(`Cannot use the local key in ${file}: it is damaged`, {
    code: "bad_key",
    source: "user",
    hint:
      "It must be 8 to 256 letters, digits, - or _. Delete that file, which holds nothing else, for a new one.",
  });
}

function base64Url(bytes: Uint8Array<ArrayBuffer>): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
