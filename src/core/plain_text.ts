/**
 * Text from outside: names, addresses, messages that others wrote. Before it is
 * shown or stored it loses every character that a terminal obeys or that
 * changes how the text around it is read.
 *
 * @module
 */

/** The longest name of an account, in UTF-16 code units. */
export const ACCOUNT_NAME_MAX = 100;

/**
 * Control characters, line separators, unpaired surrogates, and format
 * characters, including those that turn the writing direction. The two joiners
 * stay, because names and emoji are written with them.
 */
const OBEYED = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]|(?![\u200c\u200d])\p{Cf}/gu;

/**
 * Returns `text` with `mark` in place of every character that a terminal obeys.
 */
export function inert(text: string, mark = ""): string {
  return text.replace(OBEYED, mark);
}

/** Returns `text` as {@linkcode inert} does, but keeps its lines and tabs. */
export function inertLines(text: string): string {
  return text.replace(
    OBEYED,
    (found) => found === "\n" || found === "\t" ? found : "",
  );
}

/** Returns JSON with the same values and without those characters. */
export function inertJson(json: string): string {
  return json.replace(
    OBEYED,
    (found) =>
      Array.from(
        { length: found.length },
        (_, at) => `\\u${found.charCodeAt(at).toString(16).padStart(4, "0")}`,
      ).join(""),
  );
}

/**
 * Returns `text` as the name of an account: one line of 1 to {@linkcode
 * ACCOUNT_NAME_MAX} visible characters. Text without any becomes `fallback`.
 */
export function accountName(text: string, fallback: string): string {
  const line = inert(text.replace(/[^\S ]+/g, " ")).trim();
  // A character of two code units must not be cut in half.
  const short = line.slice(0, ACCOUNT_NAME_MAX)
    .replace(/[\ud800-\udbff]$/, "").trim();
  return short === "" ? fallback : short;
}

/** Returns whether `text` can be the name of an account unchanged. */
export function isAccountName(text: string): boolean {
  return accountName(text, "") === text && text !== "";
}
