/**
 * Reading unknown JSON in the demo, without trusting it.
 *
 * @module
 */

export type JsonObject = { readonly [key: string]: unknown };

/** `value` as an object, or null when it is none. */
export function objectOf(value: unknown): JsonObject | null {
  return isObject(value) ? value : null;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `value` as a list; anything else is an empty one. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The objects in the list `value`; what is none is left out. */
export function objectsIn(value: unknown): readonly JsonObject[] {
  return listOf(value).filter(isObject);
}

/** `value` as a text, or null when it is none. */
export function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** The text parsed, or null where it is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // What is wrong with it does not matter: the caller answers 400.
    return null;
  }
}
