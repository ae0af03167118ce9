/**
 * The port to files that belong to Claude Code. It may write them at any
 * moment, so nothing is replaced that is not what was read.
 *
 * @module
 */

export interface TextFiles {
  /** The text of `path`, or null where there is no such file. */
  read(path: string): Promise<string | null>;
  /**
   * Puts `text` in place of `before` (null: no file), whole or not at all and
   * readable by its owner alone. False when the file is something else by now.
   * Follows links and keeps them.
   */
  replace(path: string, before: string | null, text: string): Promise<boolean>;
  /** Returns why `path` could not be replaced now, or null; changes nothing. */
  obstacle(path: string): Promise<string | null>;
}
