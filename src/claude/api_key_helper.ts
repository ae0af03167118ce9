/**
 * `apiKeyHelper` of Claude Code's `settings.json`: a command whose output
 * serves as the API key. It outranks a stored login, and running clients notice
 * when it changes.
 *
 * @module
 */

type Document = Readonly<Record<string, unknown>>;

const KEY = "apiKeyHelper";

/** Returns the command in the settings, or null. */
export function helperOf(document: Document): string | null {
  const value = document[KEY];
  return typeof value === "string" && value.trim() !== "" ? value : null;
}

/** Returns `document` with `helper`, or without one. */
export function withHelper(
  document: Document,
  helper: string | null,
): Document {
  if (helper !== null) return { ...document, [KEY]: helper };
  const { [KEY]: _old, ...rest } = document;
  return rest;
}

/** The words that end every helper command of ours. */
const OURS = /(^|[\\/"'\s])(tc|tc\.exe|main\.ts)["']? swap helper$/;

/**
 * Returns whether `helper` is a command of tc: `own`, under whatever name this
 * program is installed, or another tc's.
 */
export function isOurHelper(helper: string, own: string): boolean {
  return helper.trim() === own || OURS.test(helper.trim());
}

/**
 * The command line of `words` as the client's shell takes it: `sh`, on Windows
 * Git Bash, or PowerShell where there is none. Without quotes and with forward
 * slashes a path means the same to both.
 */
export function helperCommand(
  words: readonly string[],
  system: string,
): string {
  return words.map((word) => quoted(word, system)).join(" ");
}

function quoted(word: string, system: string): string {
  const isWindows = system === "windows";
  const spelled = isWindows ? word.replaceAll("\\", "/") : word;
  if (/^[A-Za-z0-9_./:=@-]+$/.test(spelled)) return spelled;
  // The tilde of a short name, C:/Users/ADASMI~1, is one only at the beginning.
  if (isWindows && /^[A-Za-z0-9_./:=@-][A-Za-z0-9_./:=@~-]+$/.test(spelled)) {
    return spelled;
  }
  return isWindows
    ? `"${spelled.replaceAll('"', "")}"`
    : `'${word.replaceAll("'", `'\\''`)}'`;
}
