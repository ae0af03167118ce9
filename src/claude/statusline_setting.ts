/**
 * `statusLine` of Claude Code's `settings.json` (2.1.329).
 *
 * @module
 */

type Document = Readonly<Record<string, unknown>>;

const KEY = "statusLine";

/** Claude Code runs it again so often, also while nothing happens. */
const REFRESH_SECONDS = 10;

/** What is set, or null. */
export function statuslineOf(document: Document): unknown {
  return document[KEY] ?? null;
}

/** The words that end every status line command of ours. */
const OURS = /(^|[\\/"'\s])(tc|tc\.exe|main\.ts)["']? statusline( --wrap)?$/;

/**
 * Whether `setting` is tc's: `own`, the command of this program under whatever
 * name it was put, or that of another tc. Its own line kept as an old one would
 * run itself without end.
 */
export function isOurStatusline(setting: unknown, own: string): boolean {
  if (typeof setting !== "object" || setting === null) return false;
  const { command } = setting as Document;
  if (typeof command !== "string") return false;
  const words = command.trim();
  return words === own || words === `${own} --wrap` || OURS.test(words);
}

/** `document` with `setting`, or without one where it is null. */
export function withStatusline(
  document: Document,
  setting: unknown,
): Document {
  if (setting !== null) return { ...document, [KEY]: setting };
  const { [KEY]: _old, ...rest } = document;
  return rest;
}

/** The setting that runs `command`. */
export function commandSetting(command: string): Document {
  return {
    type: "command",
    command,
    padding: 0,
    refreshInterval: REFRESH_SECONDS,
  };
}
