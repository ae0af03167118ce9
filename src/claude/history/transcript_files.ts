/**
 * Where transcripts are: in the `projects` folder of every place that Claude Code
 * may have for its files.
 *
 * @module
 */

import { basename, dirname, join } from "node:path";
import { type Environment, homeIn } from "../../variables.ts";

/** A transcript, by its entry in its folder. */
export interface TranscriptFile {
  readonly path: string;
  readonly session: string;
  readonly size: number;
  /** Epoch milliseconds. */
  readonly writtenAt: number;
  /** The file's number on its disk; 0 where the system has none. */
  readonly inode: number;
}

/**
 * Returns the folders with transcripts, each once: those of the environment, and
 * of `others`, which are folders as in CLAUDE_CONFIG_DIR.
 */
export function transcriptFolders(
  environment: Environment,
  system: string,
  others: readonly string[],
): readonly string[] {
  const home = homeIn(environment, system) ?? "";
  const config = environment["XDG_CONFIG_HOME"] || join(home, ".config");
  const named = (environment["CLAUDE_CONFIG_DIR"] ?? "").split(",")
    .map((path) => path.trim()).filter((path) => path !== "");
  const folders = [
    join(config, "claude"),
    join(home, ".claude"),
    ...named,
    ...others,
  ];
  const found = new Set<string>();
  for (const folder of folders) {
    try {
      // Profiles share the folder by a link.
      found.add(Deno.realPathSync(join(folder, "projects")));
    } catch {
      // Nobody works there.
    }
  }
  return [...found];
}

/** Returns the transcripts in `folder` and below it; links are not followed. */
export function transcriptFiles(folder: string): readonly TranscriptFile[] {
  const files: TranscriptFile[] = [];
  collect(folder, files);
  return files;
}

function collect(folder: string, files: TranscriptFile[]): void {
  let entries: readonly Deno.DirEntry[];
  try {
    entries = [...Deno.readDirSync(folder)];
  } catch {
    // It is gone meanwhile, or not readable for us.
    return;
  }
  for (const { name, isFile, isDirectory } of entries) {
    const path = join(folder, name);
    if (isDirectory) collect(path, files);
    else if (isFile && name.endsWith(".jsonl")) {
      const file = fileAt(path);
      if (file !== null) files.push(file);
    }
  }
}

function fileAt(path: string): TranscriptFile | null {
  try {
    const { size, mtime, ino, isFile } = Deno.lstatSync(path);
    if (!isFile) return null;
    return {
      path,
      session: sessionOf(path),
      size,
      writtenAt: mtime?.getTime() ?? 0,
      inode: ino ?? 0,
    };
  } catch {
    return null;
  }
}

/** Sub-agents have files in a folder of their session. */
function sessionOf(path: string): string {
  const folder = dirname(path);
  return basename(folder) === "subagents"
    ? basename(dirname(folder))
    : basename(path, ".jsonl");
}
