/**
 * What is taken out of texts that leave this machine in a person's hands.
 *
 * @module
 */

const RULES: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\bsk-ant-[A-Za-z0-9_-]+/g, "[secret]"],
  [/\btc-[A-Za-z0-9_-]{24,}/g, "[key]"],
  [/(\/k\/)[^/?#\s"']+/g, "$1[key]"],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+/gi, "$1 [secret]"],
  [
    /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g,
    "[secret]",
  ],
  // Whatever stands before the host: a password alone, a token, a sign @ in it.
  [/\/\/[^/\s"']+@/g, "//[secret]@"],
  // Only from the beginning of a word: from each of its letters it would take
  // the square of the length.
  [
    /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}._%+-]+@[\p{L}\p{N}.-]{1,253}\.\p{L}{2,63}/gu,
    "[e-mail]",
  ],
];

/** `text` without secrets, e-mail addresses and the name of the home folder. */
export function redacted(text: string, home: string): string {
  let result = home.length > 1 ? text.replaceAll(home, "~") : text;
  for (const [pattern, instead] of RULES) {
    result = result.replace(pattern, instead);
  }
  return result;
}
