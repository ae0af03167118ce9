/**
 * Reading files that other programs write: whatever is wrong with one, it
 * counts as not there. Nothing here throws.
 *
 * @module
 */

/** A file larger than this is none that Claude Code or its tools write. */
const BYTES_MAX = 4 * 1024 * 1024;

export type JsonObject = Readonly<Record<string, unknown>>;

/** The file's text, or null. */
export async function readText(path: string): Promise<string | null> {
  try {
    const { size, isFile } = await Deno.stat(path);
    if (!isFile || size > BYTES_MAX) return null;
    return await Deno.readTextFile(path);
  } catch {
    // Not there, not ours to read, or gone meanwhile: all optional.
    return null;
  }
}

/** The file's JSON value, or null. */
export async function readJson(path: string): Promise<unknown> {
  const text = await readText(path);
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch {
    // Half-written: the next look finds it whole.
    return null;
  }
}

/** Names in a folder, empty when there is none. */
export async function readNames(folder: string): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) names.push(name);
  } catch {
    // No such folder: nobody writes there.
  }
  return names;
}

export function asObject(value: unknown): JsonObject | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as JsonObject
    : null;
}

/** Text that is not empty, or null. */
export function asText(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** Epoch milliseconds of an RFC 3339 text or a number; null for anything else. */
export function asTime(value: unknown): number | null {
  const ms = typeof value === "number"
    ? value
    : typeof value === "string"
    ? Date.parse(value)
    : NaN;
  return Number.isFinite(ms) ? ms : null;
}
