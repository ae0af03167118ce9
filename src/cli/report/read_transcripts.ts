/**
 * Brings what is known of Claude Code's transcripts up to date, before a command
 * draws on it. The first look reads all of them, later ones what was added.
 *
 * @module
 */

import { join } from "node:path";
import {
  type TranscriptFile,
  transcriptFiles,
  transcriptFolders,
} from "../../claude/history/transcript_files.ts";
import { EXIT, reasonOf, TcError } from "../../errors.ts";
import { historyPath, openHistory } from "../../store/history/history_store.ts";
import { printTo } from "../print.ts";
import type { Shell } from "../shell.ts";
import { profilesFolder } from "../swap/swap_files.ts";
import {
  isThere,
  type LookPlace,
  type Pace,
  TranscriptLook,
} from "./transcript_look.ts";

/** How long signals may wait. */
const TURN_MS = 50;
/** A shorter look shows no progress. */
const QUIET_MS = 400;

/**
 * Reads what transcripts have that is not known yet, unless the setting forbids
 * it. Ctrl-C stops, and keeps what was read. Throws TcError `stopped`; whatever
 * else goes wrong is said, and the command goes on with what is known.
 */
export async function readTranscripts(shell: Shell): Promise<void> {
  if (!shell.config.settings.history.transcripts) return;
  try {
    using progress = new Progress();
    const isWhole = await lookAtTranscripts(shell, progress);
    if (!isWhole) throw stopped(progress);
  } catch (cause) {
    if (cause instanceof TcError && cause.code === "stopped") throw cause;
    shell.output.say(`Cannot read the transcripts: ${reasonOf(cause)}`);
  }
}

/**
 * Reads what is not known yet, as fast and as far as `pace` lets it; what was
 * read is kept. Returns whether all was read. Throws what the database throws.
 */
export async function lookAtTranscripts(
  shell: LookPlace,
  pace: Pace,
): Promise<boolean> {
  const files = transcriptsOf(shell);
  const path = historyPath(shell.paths.stateFolder);
  if (files.length === 0 && !isThere(path)) return true;
  const database = openHistory(path, "read_write");
  try {
    await new TranscriptLook(shell, database, pace).at(files);
  } finally {
    database.close();
  }
  return !pace.isStopped;
}

function transcriptsOf(
  { environment, system, paths }: LookPlace,
): readonly TranscriptFile[] {
  const profiles = profilesFolder(paths);
  const folders = transcriptFolders(
    environment,
    system,
    namesIn(profiles).map((name) => join(profiles, name)),
  );
  return folders.flatMap((folder) => transcriptFiles(folder));
}

function namesIn(folder: string): readonly string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    // There are no profiles.
    return [];
  }
}

function stopped({ done, total }: Progress): TcError {
  return new TcError(
    `Stopped: ${megabytes(done)} of ${
      megabytes(total)
    } of transcripts are read and kept`,
    {
      code: "stopped",
      source: "user",
      exitCode: EXIT.interrupted,
      hint: "The next tc report goes on from there",
    },
  );
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}

/** Shows how far a look is, on a terminal, and hears Ctrl-C. */
class Progress implements Pace, Disposable {
  /** Bytes to read, and bytes that were read. */
  total = 0;
  done = 0;
  isStopped = false;
  readonly isHurried = true;
  readonly #isShown = Deno.stderr.isTerminal();
  readonly #startedMs = performance.now();
  #turnMs = performance.now();
  #hasShown = false;
  readonly #stop = () => {
    this.isStopped = true;
  };

  constructor() {
    Deno.addSignalListener("SIGINT", this.#stop);
  }

  /** Returns whether to go on, at once or after a pause in which signals come. */
  add(bytes: number): boolean | Promise<boolean> {
    this.done += bytes;
    const now = performance.now();
    if (now - this.#turnMs < TURN_MS) return !this.isStopped;
    this.#turnMs = now;
    this.#show(now);
    return new Promise((resolve) =>
      setTimeout(() => resolve(!this.isStopped), 0)
    );
  }

  #show(now: number): void {
    if (!this.#isShown || now - this.#startedMs < QUIET_MS) return;
    this.#hasShown = true;
    const line = `Reading transcripts: ${megabytes(this.done)} of ${
      megabytes(this.total)
    } (Ctrl-C stops, what was read is kept)`;
    printTo(Deno.stderr, `\r${line}\u001b[K`);
  }

  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGINT", this.#stop);
    if (this.#hasShown) printTo(Deno.stderr, "\r\u001b[K");
  }
}
