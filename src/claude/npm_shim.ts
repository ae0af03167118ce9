/**
 * The command file by which npm and pnpm put a program on the PATH of Windows.
 * cmd.exe reads its arguments once more: a line break ends them, `%` names a
 * variable, and 8,191 characters are all. What the file starts can be started
 * without it.
 *
 * @module
 */

import { win32 } from "node:path";

/** A program and the arguments that come before all others. */
export type ProgramCommand = readonly [program: string, ...args: string[]];

/** The files of the machine, as far as a shim asks for them. */
export interface ShimFiles {
  /** The text of a file, or null where it cannot be read. */
  read(path: string): string | null;
  isFile(path: string): boolean;
  /** The path of `node` on the PATH, or null. */
  findNode(): string | null;
}

/** What such a file starts, below its own folder, with all that it was given. */
const TARGET = /"%(?:~dp0|dp0%)\\?([^"%]+\.(exe|[cm]?js))"\s+%\*/i;

/**
 * Returns what `program` starts if it is such a file of npm or pnpm, else the
 * program itself.
 */
export function withoutShim(
  program: string,
  system: string,
  files: ShimFiles,
): ProgramCommand {
  if (system !== "windows" || !isBatch(program)) return [program];
  const match = TARGET.exec(files.read(program) ?? "");
  if (match === null) return [program];
  const [, below = "", ending = ""] = match;
  const folder = win32.dirname(program);
  const target = win32.join(folder, below);
  if (!files.isFile(target)) return [program];
  if (ending.toLowerCase() === "exe") return [target];
  const beside = win32.join(folder, "node.exe");
  const node = files.isFile(beside) ? beside : files.findNode();
  return node === null ? [program] : [node, target];
}

/** Whether cmd.exe would read the file at `path`. */
export function isBatch(path: string): boolean {
  return /\.(cmd|bat)$/i.test(path);
}
