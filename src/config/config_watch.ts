/**
 * Notices that somebody has written the config: a person's editor, a script,
 * another tc. Editors write in steps and over new files, so the folder is
 * watched, and a moment of quiet is waited for.
 *
 * @module
 */

import { basename, dirname } from "node:path";
import { readIfThere } from "../store/files/atomic.ts";

const QUIET_MS = 200;

/**
 * Calls `onChange` when the text of `file` has become another one. A folder
 * that cannot be watched is none: `tc reload` is there.
 */
export async function watchConfig(
  file: string,
  onChange: () => void,
): Promise<Disposable> {
  const name = basename(file);
  let text = await textOf(file);
  let timer: ReturnType<typeof setTimeout> | null = null;
  const watcher = openWatcher(dirname(file));
  async function look(): Promise<void> {
    const now = await textOf(file);
    if (now === text) return;
    text = now;
    onChange();
  }
  async function follow(): Promise<void> {
    for await (const { paths } of watcher ?? []) {
      if (!paths.some((path) => basename(path) === name)) continue;
      if (timer !== null) clearTimeout(timer);
      timer = setTimeout(() => void look(), QUIET_MS);
    }
  }
  follow().catch(() => {
    // The folder is gone: nothing will be written in it.
  });
  return {
    [Symbol.dispose](): void {
      if (timer !== null) clearTimeout(timer);
      watcher?.close();
    },
  };
}

function openWatcher(folder: string): Deno.FsWatcher | null {
  try {
    return Deno.watchFs(folder, { recursive: false });
  } catch {
    // No such folder, or no watches left on this system.
    return null;
  }
}

/** A file that cannot be read now is looked at again at its next change. */
async function textOf(file: string): Promise<string | null> {
  const bytes = await readIfThere(file).catch(() => null);
  return bytes === null ? null : new TextDecoder().decode(bytes);
}
