/**
 * The only change of a body that tc makes: the model of a request for a backend
 * account to which the user gave a model map.
 *
 * @module
 */

import { BROKEN } from "./byte_walk.ts";
import { JsonSource } from "./json_source.ts";
import { memberAt, shortTextAt, skipSpace, stringEnd } from "./json.ts";

/**
 * Returns `body` with its top-level `model` replaced according to `map`, and
 * every other byte unchanged. Returns the same array if there is no model or the
 * map does not have it.
 */
export function replaceModel(
  body: Uint8Array,
  map: Readonly<Record<string, string>>,
): Uint8Array {
  const source = new JsonSource(body);
  const at = memberAt(source, skipSpace(body, 0), "model");
  const model = shortTextAt(source, at);
  if (at === BROKEN || model === null) return body;
  const replacement = Object.hasOwn(map, model) ? map[model] : undefined;
  if (replacement === undefined || replacement === model) return body;
  const value = new TextEncoder().encode(JSON.stringify(replacement));
  const rest = body.subarray(stringEnd(source, at));
  const replaced = new Uint8Array(at + value.length + rest.length);
  replaced.set(body.subarray(0, at));
  replaced.set(value, at);
  replaced.set(rest, at + value.length);
  return replaced;
}
