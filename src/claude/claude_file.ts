/**
 * Reads files that other programs write. A file with anything wrong counts as
 * absent. Nothing here throws.
 *
 * @module
 */

/** Larger files are not written by Claude Code or its tools. */
const BYTES_MAX = 4 * 1024 * 1024;

type JsonObject = Readonly<Record<string, unknown>>;

/** Returns the file's text, or null. */
export async function readText(path: string): Promise<string | null> {
  try {
    const { size, isFile } = await Deno.stat(path);
    if (!isFile || size > BYTES_MAX) return null;
    return await Deno.readTextFile(path);
  } catch {
    // Absent, not readable for us, or gone meanwhile: all of these are normal.
    return null;
  }
}

/** Returns the file's JSON value, or null. */
export async function readJson(path: string): Promise<unknown> {
  const text = await readText(path);
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch {
    // Half-written: the next look finds it complete.
    return null;
  }
}

/** Returns the names in a folder; empty if there is none. */
export async function readNames(folder: string): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) names.push(name);
  } catch {
    // There is no such folder: no program writes there.
  }
  return names;
}

export function asObject(value: unknown): JsonObject | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as JsonObject
    : null;
}

/** Returns a non-empty text, or null. */
export function asText(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/**
 * Returns the epoch milliseconds of an RFC 3339 text or a number; null for
 * anything else.
 */
export function asTime(value: unknown): number | null {
  const ms = typeof value === "number"
    ? value
    : typeof value === "string"
    ? Date.parse(value)
    : NaN;
  return Number.isFinite(ms) ? ms : null;
}
