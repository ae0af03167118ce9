/**
 * The last real turn of a session, from its transcript: the newest line of a
 * user or an assistant. The file's own time says nothing, because Claude Code
 * writes titles and modes into it while nobody works.
 *
 * @module
 */

import { join } from "node:path";
import { asObject, asTime, readNames } from "../claude_file.ts";

/** How much of the end of a transcript is read first. */
const TAIL_BYTES = 65_536;

/**
 * A transcript without a turn at its end is read completely up to this size.
 */
const WHOLE_BYTES_MAX = 64 * 1024 * 1024;

export type LastTurn =
  /** When the last turn was. */
  | { readonly kind: "turn"; readonly at: number }
  /** A transcript without any turn; its file time is all there is. */
  | { readonly kind: "stub"; readonly at: number }
  | { readonly kind: "unknown" };

/**
 * Returns where each session's transcript is, the newest first if there are
 * several.
 */
export async function transcriptPaths(
  claudeFolder: string,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const projects = join(claudeFolder, "projects");
  const paths = new Map<string, string[]>();
  for (const project of await readNames(projects)) {
    const folder = join(projects, project);
    for (const name of await readNames(folder)) {
      if (!name.endsWith(".jsonl")) continue;
      const session = name.slice(0, -".jsonl".length);
      const known = paths.get(session);
      if (known === undefined) paths.set(session, [join(folder, name)]);
      else known.push(join(folder, name));
    }
  }
  return paths;
}

interface Known {
  readonly size: number;
  readonly writtenAt: number;
  readonly turn: LastTurn;
}

/** Reads last turns; a file that has not changed is not read again. */
export class TranscriptReader {
  readonly #known = new Map<string, Known>();

  /**
   * Returns the last turn of the session whose transcript is one of `paths`.
   */
  async lastTurn(paths: readonly string[]): Promise<LastTurn> {
    let newest: { path: string; size: number; writtenAt: number } | null = null;
    for (const path of paths) {
      const file = await stat(path);
      if (file === null) continue;
      if (newest === null || file.writtenAt > newest.writtenAt) {
        newest = { path, ...file };
      }
    }
    if (newest === null) return { kind: "unknown" };
    const { path, size, writtenAt } = newest;
    const known = this.#known.get(path);
    if (known?.size === size && known.writtenAt === writtenAt) {
      return known.turn;
    }
    const at = await readLastTurn(path, size);
    const turn: LastTurn = at === null
      ? { kind: "stub", at: writtenAt }
      : { kind: "turn", at };
    this.#known.set(path, { size, writtenAt, turn });
    return turn;
  }

  /** Forgets the files that are not in `paths`. */
  keep(paths: ReadonlySet<string>): void {
    for (const path of this.#known.keys()) {
      if (!paths.has(path)) this.#known.delete(path);
    }
  }
}

async function stat(
  path: string,
): Promise<{ readonly size: number; readonly writtenAt: number } | null> {
  try {
    const { size, mtime, isFile } = await Deno.stat(path);
    if (!isFile) return null;
    return { size, writtenAt: mtime?.getTime() ?? 0 };
  } catch {
    // It is gone meanwhile.
    return null;
  }
}

async function readLastTurn(
  path: string,
  size: number,
): Promise<number | null> {
  const tail = await readFrom(path, Math.max(0, size - TAIL_BYTES));
  const isWhole = size <= TAIL_BYTES;
  const at = lastTurnIn(isWhole ? tail : withoutFirstLine(tail));
  if (at !== null || isWhole || size > WHOLE_BYTES_MAX) return at;
  return lastTurnIn(await readFrom(path, 0));
}

function withoutFirstLine(text: string): string {
  return text.slice(text.indexOf("\n") + 1);
}

async function readFrom(path: string, offset: number): Promise<string> {
  try {
    using file = await Deno.open(path);
    await file.seek(offset, Deno.SeekMode.Start);
    return await new Response(file.readable).text();
  } catch {
    // It is gone meanwhile, or not readable for us.
    return "";
  }
}

/** Returns the time of the newest line of a user or an assistant, or null. */
export function lastTurnIn(text: string): number | null {
  const lines = text.split("\n");
  for (let index = lines.length - 1; index >= 0; index--) {
    const line = lines[index] ?? "";
    if (!line.includes('"user"') && !line.includes('"assistant"')) continue;
    const at = turnTime(line);
    if (at !== null) return at;
  }
  return null;
}

function turnTime(line: string): number | null {
  try {
    const entry = asObject(JSON.parse(line));
    const type = entry?.["type"];
    if (type !== "user" && type !== "assistant") return null;
    const { timestamp } = entry ?? {};
    return typeof timestamp === "string" ? asTime(timestamp) : null;
  } catch {
    // Half a line: a program is writing it.
    return null;
  }
}
