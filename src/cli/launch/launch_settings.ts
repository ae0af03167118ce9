/**
 * The `--settings` file of one launch: outranks what the client's own settings
 * say against it, and goes when the launch ends. It may hold the local key, and
 * so it is a file of the user alone and never an argument.
 *
 * @module
 */

import { join } from "node:path";
import type { Variables } from "../../claude/launch_variables.ts";
import { ensurePrivateFolder } from "../../store/files/atomic.ts";

/** Left by launches that were killed; no session is open for so long. */
const STALE_MS = 30 * 86_400_000;

export class LaunchSettings implements Disposable {
  readonly file: string;

  private constructor(file: string) {
    this.file = file;
  }

  /** Writes `settings` into a private file below the state folder. */
  static async write(
    stateFolder: string,
    settings: Readonly<Record<string, unknown>>,
  ): Promise<LaunchSettings> {
    const folder = join(stateFolder, "launches");
    await ensurePrivateFolder(folder);
    removeStale(folder);
    const file = join(folder, `${crypto.randomUUID()}.json`);
    Deno.writeTextFileSync(file, JSON.stringify(settings), {
      createNew: true,
      mode: 0o600,
    });
    return new LaunchSettings(file);
  }

  [Symbol.dispose](): void {
    remove(this.file);
  }
}

function removeStale(folder: string): void {
  for (const { name, isFile } of Deno.readDirSync(folder)) {
    if (!isFile) continue;
    const file = join(folder, name);
    const writtenAt = Deno.lstatSync(file).mtime?.getTime() ?? Date.now();
    if (Date.now() - writtenAt > STALE_MS) remove(file);
  }
}

function remove(file: string): void {
  try {
    Deno.removeSync(file);
  } catch {
    // Another launch has removed it, or the folder with it.
  }
}

/**
 * Returns `args` with the file added. The last `--settings` wins, and options
 * must stand before a subcommand, so the file comes first or right behind the
 * person's own.
 */
export function withSettings(
  args: readonly string[],
  file: string,
): readonly string[] {
  const end = args.indexOf("--");
  const options = end === -1 ? args : args.slice(0, end);
  const last = options.findLastIndex((word) =>
    word === "--settings" || word.startsWith("--settings=")
  );
  const at = last === -1 ? 0 : last + (options[last] === "--settings" ? 2 : 1);
  return [...args.slice(0, at), "--settings", file, ...args.slice(at)];
}

/** Whether the client reads no login: `--bare`, or what it sets. */
export function isBare(args: readonly string[], present: Variables): boolean {
  return args.includes("--bare") || Boolean(present["CLAUDE_CODE_SIMPLE"]);
}
