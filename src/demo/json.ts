/**
 * Reads unknown JSON without trusting it.
 *
 * @module
 */

export type JsonObject = { readonly [key: string]: unknown };

/** Returns `value` if it is an object, else null. */
export function objectOf(value: unknown): JsonObject | null {
  return isObject(value) ? value : null;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns `value` if it is a list, else an empty list. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Returns the objects in the list `value` and leaves out everything else. */
export function objectsIn(value: unknown): readonly JsonObject[] {
  return listOf(value).filter(isObject);
}

/** Returns `value` if it is a text, else null. */
export function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** Returns the parsed text, or null if it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The caller answers 400, whatever is wrong with it.
    return null;
  }
}
