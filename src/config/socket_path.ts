/**
 * Where the private Unix socket of a pool is.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { join } from "node:path";
import type { Config } from "./config.ts";
import type { Paths } from "../system/paths.ts";

/** The shortest of what the systems take (sun_path of macOS, with its end). */
const SOCKET_PATH_BYTES_MAX = 103;
/** It is made under this longer name first. */
const FRESH_SUFFIX_BYTES = 4;

/** The socket of this pool, or null where there is none to be. */
export function socketPath(
  { settings }: Config,
  { stateFolder }: Paths,
  system: string,
): string | null {
  if (!settings.proxy.socket || system === "windows") return null;
  const path = join(stateFolder, "tc.sock");
  const bytes = Buffer.byteLength(path) + FRESH_SUFFIX_BYTES;
  return bytes > SOCKET_PATH_BYTES_MAX ? null : path;
}
