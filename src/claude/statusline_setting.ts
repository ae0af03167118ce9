/**
 * `statusLine` of Claude Code's `settings.json` (2.1.329).
 *
 * @module
 */

type Document = Readonly<Record<string, unknown>>;

const KEY = "statusLine";

/** How often Claude Code runs it again while nothing happens. */
const REFRESH_SECONDS = 10;

/** Returns the present setting, or null. */
export function statuslineOf(document: Document): unknown {
  return document[KEY] ?? null;
}

/** The words that end every status line command of ours. */
const OURS = /(^|[\\/"'\s])(tc|tc\.exe|main\.ts)["']? statusline( --wrap)?$/;

/**
 * Returns whether `setting` is tc's: `own`, the command of this program under
 * whatever name it is installed, or another tc's. If tc's own line were kept as
 * the wrapped one, it would run itself without end.
 */
export function isOurStatusline(setting: unknown, own: string): boolean {
  if (typeof setting !== "object" || setting === null) return false;
  const { command } = setting as Document;
  if (typeof command !== "string") return false;
  const words = command.trim();
  return words === own || words === `${own} --wrap` || OURS.test(words);
}

/** Returns `document` with `setting`, or without one if it is null. */
export function withStatusline(
  document: Document,
  setting: unknown,
): Document {
  if (setting !== null) return { ...document, [KEY]: setting };
  const { [KEY]: _old, ...rest } = document;
  return rest;
}

/** Returns the setting that runs `command`. */
export function commandSetting(command: string): Document {
  return {
    type: "command",
    command,
    padding: 0,
    refreshInterval: REFRESH_SECONDS,
  };
}
