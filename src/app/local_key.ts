/**
 * The local key: made once, kept beside the vault, shown by every client.
 *
 * @module
 */

import { join } from "node:path";
import { TcError } from "../errors.ts";
import { type Entropy, Secret } from "../ports.ts";
import type { Config } from "./config.ts";
import type { Paths } from "./paths.ts";

const KEY_FILE = "key";
const KEY_SHAPE = /^[A-Za-z0-9_-]{8,256}$/;

/**
 * The key of this pool: the one in the config if there is one, else the file's,
 * else a new random one. Two processes that both find none agree on one,
 * because the file is created exclusively.
 */
export function localKey(
  config: Config,
  paths: Paths,
  entropy: Entropy,
): Secret {
  const written = config.settings.proxy.apiKey;
  if (written !== "") return checked(written, config.file);
  const file = join(paths.secretsFolder, KEY_FILE);
  const found = readKey(file);
  if (found !== null) return found;
  Deno.mkdirSync(paths.secretsFolder, { recursive: true, mode: 0o700 });
  const fresh = `tc-${base64Url(entropy.bytes(24))}`;
  try {
    Deno.writeTextFileSync(file, `${fresh}\n`, {
      createNew: true,
      mode: 0o600,
    });
    return new Secret(fresh);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.AlreadyExists)) throw cause;
    return readKey(file) ?? checked("", file);
  }
}

function readKey(file: string): Secret | null {
  try {
    return checked(Deno.readTextFileSync(file).trim(), file);
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
      "It must be 8 to 256 letters, digits, - or _. Delete the file for a new one.",
  });
}

function base64Url(bytes: Uint8Array<ArrayBuffer>): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
