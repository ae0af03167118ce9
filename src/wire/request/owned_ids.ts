/**
 * Ids of things that belong to one account, in paths, bodies and answers. They
 * look like `file_011CNha8…` and `msgbatch_01Hkc…`.
 *
 * @module
 */

import { asList, asObject, asText, parseJson } from "./json.ts";

const ID = /^[a-z][a-z_]{1,24}_[A-Za-z0-9]{6,100}$/;
const QUOTED_ID = /"([a-z][a-z_]{1,24}_[A-Za-z0-9]{6,100})"/g;
const LATIN1 = new TextDecoder("latin1");

/** A page of a list has at most 1,000 entries. */
const LIST_MAX = 1_000;

/** Returns the ids among the segments of a path, in their order. */
export function idsInPath(path: string): readonly string[] {
  return path.split("/").filter((segment) => ID.test(segment));
}

/**
 * Returns the ids that a JSON body has as whole strings, each once. They may be
 * words of a conversation, so only ids that the pool knows mean anything.
 */
export function idsInBody(body: Uint8Array): ReadonlySet<string> {
  const found = new Set<string>();
  for (const match of LATIN1.decode(body).matchAll(QUOTED_ID)) {
    if (match[1] !== undefined) found.add(match[1]);
  }
  return found;
}

/**
 * Returns the ids that an answer introduces: the object's own, its container's,
 * and those of the entries of a list.
 */
export function idsInAnswer(body: Uint8Array): readonly string[] {
  const answer = asObject(parseJson(body));
  if (answer === null) return [];
  const entries = asList(answer["data"]).slice(0, LIST_MAX).map(asObject);
  return [answer, asObject(answer["container"]), ...entries]
    .map((object) => asText(object?.["id"]))
    .filter((id) => id !== null && ID.test(id))
    .map((id) => id ?? "");
}
