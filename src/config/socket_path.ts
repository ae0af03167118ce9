/**
 * The path of a pool's private Unix socket.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { join } from "node:path";
import type { Config } from "./config.ts";
import type { Paths } from "../system/paths.ts";

/**
 * The shortest limit of all systems (sun_path of macOS, with its terminator).
 */
const SOCKET_PATH_BYTES_MAX = 103;
/** Bytes of the suffix under which the socket is created first. */
const FRESH_SUFFIX_BYTES = 4;

/** Returns the path of this pool's socket, or null if it should have none. */
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
