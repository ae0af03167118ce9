/**
 * Look-ups in a list of header lines, whatever the case of their names.
 *
 * @module
 */

import type { HeaderList } from "../ports.ts";

/** Returns the value of the first line named `name` (in lower case), or null. */
export function headerValue(headers: HeaderList, name: string): string | null {
  for (const [lineName, value] of headers) {
    if (lineName.length === name.length && lineName.toLowerCase() === name) {
      return value;
    }
  }
  return null;
}

/** Returns the comma-separated members of all lines named `name`, in lower case. */
export function headerTokens(
  headers: HeaderList,
  name: string,
): readonly string[] {
  const tokens: string[] = [];
  for (const [lineName, value] of headers) {
    const isIt = lineName.length === name.length &&
      lineName.toLowerCase() === name;
    if (!isIt) continue;
    for (const part of value.split(",")) {
      const token = part.trim().toLowerCase();
      if (token !== "") tokens.push(token);
    }
  }
  return tokens;
}

const IDENTIFIER = /^[\x21-\x7e]{1,128}$/;

/**
 * Returns the value of `name` if it can be an identifier: 1 to 128 visible ASCII
 * characters. Anything else counts as absent, so that no header can put terminal
 * escapes or a megabyte into a log, a screen or a map of sessions.
 */
export function headerIdentifier(
  headers: HeaderList,
  name: string,
): string | null {
  return asIdentifier(headerValue(headers, name));
}

/** Returns `text` if it can be an identifier; see {@linkcode headerIdentifier}. */
export function asIdentifier(text: string | null): string | null {
  if (text === null) return null;
  const trimmed = text.trim();
  return IDENTIFIER.test(trimmed) ? trimmed : null;
}
