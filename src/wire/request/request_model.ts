/**
 * Wire room: the one body edit there is: the model of a request for a backend
 * account that the user gave a model map (M12).
 *
 * @module
 */

import {
  BROKEN,
  memberAt,
  shortTextAt,
  skipSpace,
  stringEnd,
} from "./json_scan.ts";

/**
 * `body` with the value of its top-level `model` replaced by what `map` says of
 * it, every other byte as it was. Without such a model, or where the map does
 * not know it, the very same array comes back.
 */
export function replaceModel(
  body: Uint8Array,
  map: Readonly<Record<string, string>>,
): Uint8Array {
  const at = memberAt(body, skipSpace(body, 0), "model");
  const model = shortTextAt(body, at);
  if (at === BROKEN || model === null) return body;
  const replacement = Object.hasOwn(map, model) ? map[model] : undefined;
  if (replacement === undefined || replacement === model) return body;
  const value = new TextEncoder().encode(JSON.stringify(replacement));
  const rest = body.subarray(stringEnd(body, at));
  const replaced = new Uint8Array(at + value.length + rest.length);
  replaced.set(body.subarray(0, at));
  replaced.set(value, at);
  replaced.set(rest, at + value.length);
  return replaced;
}
