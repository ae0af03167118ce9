/**
 * Wire room: JSON of others, taken apart without trust.
 *
 * @module
 */

export type JsonObject = Readonly<Record<string, unknown>>;

const DECODER = new TextDecoder();

/** The value in `bytes`, or null where they are no JSON. Never throws. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(DECODER.decode(bytes));
  } catch {
    // Cut off or never JSON: either way nothing is known from it.
    return null;
  }
}

export function asObject(value: unknown): JsonObject | null {
  return isObject(value) ? value : null;
}

export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function asText(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
