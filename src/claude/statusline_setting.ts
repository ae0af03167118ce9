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

/** Whether `setting` is tc's own, this one's or an older one's. */
export function isOurStatusline(setting: unknown): boolean {
  if (typeof setting !== "object" || setting === null) return false;
  const { command } = setting as Document;
  return typeof command === "string" && OURS.test(command.trim());
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
