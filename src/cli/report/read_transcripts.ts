/**
 * Brings what is known of Claude Code's transcripts up to date, before a command
 * draws on it. The first look reads all of them, later ones what was added.
 *
 * @module
 */

import { join } from "node:path";
import { priceBook } from "../../config/config.ts";
import { systemClock } from "../../system/clock.ts";
import {
  type TranscriptFile,
  transcriptFiles,
  transcriptFolders,
} from "../../claude/history/transcript_files.ts";
import { TranscriptReader } from "../../claude/history/transcript_reader.ts";
import { costNanodollars } from "../../core/pricing.ts";
import { DAY_MS } from "../../core/time.ts";
import { TranscriptAnswers } from "../../core/transcript.ts";
import { EXIT, reasonOf, TcError } from "../../errors.ts";
import { databasePath, openDatabase } from "../../store/ledger/database.ts";
import {
  historyPath,
  HistoryStore,
  type KnownFile,
  openHistory,
} from "../../store/history/history_store.ts";
import { markThroughTc } from "../../store/history/through_tc.ts";
import { QUARTER_MS } from "../../store/ledger/ledger.ts";
import { printTo } from "../print.ts";
import type { Shell } from "../shell.ts";
import { profilesFolder } from "../swap/swap_files.ts";

/** Answers and bytes that are written at once. */
const ANSWERS_AT_ONCE = 20_000;
const BYTES_AT_ONCE = 512 * 1024 * 1024;
/** How long signals may wait. */
const TURN_MS = 50;
/** A shorter look shows no progress. */
const QUIET_MS = 400;
/** The server may write an answer's row later than the client writes its line. */
const LATE_MS = DAY_MS;

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
  shell: Pick<Shell, "environment" | "system" | "paths" | "config">,
  pace: Pace,
): Promise<boolean> {
  const files = transcriptsOf(shell);
  const path = historyPath(shell.paths.stateFolder);
  if (files.length === 0 && !isThere(path)) return true;
  const database = openHistory(path, "read_write");
  try {
    await new Look(shell, database).at(files, pace);
  } finally {
    database.close();
  }
  return !pace.isStopped;
}

/** How fast and how far a look reads. */
export interface Pace {
  /** Bytes to read, and bytes that were read. */
  total: number;
  readonly done: number;
  readonly isStopped: boolean;
  /** Counts bytes; returns whether to go on, at once or after a pause. */
  add(bytes: number): boolean | Promise<boolean>;
}

type LookPlace = Parameters<typeof lookAtTranscripts>[0];

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

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** What is to be read of a transcript. */
interface Part {
  readonly file: TranscriptFile;
  readonly from: number;
}

class Look {
  readonly #shell: LookPlace;
  readonly #database: ReturnType<typeof openHistory>;
  readonly #store: HistoryStore;
  readonly #reader = new TranscriptReader();
  #answers = new TranscriptAnswers();
  #known: KnownFile[] = [];
  #bytes = 0;
  #firstChange = Infinity;

  constructor(shell: LookPlace, database: ReturnType<typeof openHistory>) {
    this.#shell = shell;
    this.#database = database;
    const prices = priceBook(shell.config);
    this.#store = new HistoryStore(
      database,
      (usage, about) => costNanodollars(usage, about, prices),
    );
  }

  async at(
    files: readonly TranscriptFile[],
    progress: Pace,
  ): Promise<void> {
    const parts = unread(files, this.#store.files());
    progress.total = parts.reduce(
      (sum, { file, from }) => sum + file.size - from,
      0,
    );
    for (const { file, from } of parts) {
      const knownBytes = await this.#read(file, from, progress);
      if (knownBytes !== null) {
        // A file that was left in its middle is read on.
        const size = progress.isStopped ? knownBytes : file.size;
        this.#known.push({ ...file, size, knownBytes });
      }
      const isFull = this.#answers.count >= ANSWERS_AT_ONCE ||
        this.#bytes >= BYTES_AT_ONCE;
      if (isFull || progress.isStopped) this.#write();
      if (progress.isStopped) break;
    }
    this.#write();
    this.#markThroughTc();
    this.#store.looked(systemClock.now(), !progress.isStopped);
  }

  /** Returns the bytes that are known now; null if the file cannot be read. */
  async #read(
    { path, session }: TranscriptFile,
    from: number,
    progress: Pace,
  ): Promise<number | null> {
    try {
      return await this.#reader.read({ path, session, from }, {
        take: (answer) => this.#answers.add(answer),
        goOn: (bytes) => {
          this.#bytes += bytes;
          return progress.add(bytes);
        },
      });
    } catch {
      // It is gone meanwhile, or not readable for us.
      return null;
    }
  }

  #write(): void {
    if (this.#known.length === 0) return;
    const changed = this.#store.write(this.#answers, this.#known);
    for (const quarter of changed) {
      this.#firstChange = Math.min(this.#firstChange, quarter * QUARTER_MS);
    }
    this.#answers = new TranscriptAnswers();
    this.#known = [];
    this.#bytes = 0;
  }

  #markThroughTc(): void {
    const fromMs = Math.min(this.#firstChange, systemClock.now() - LATE_MS);
    const path = databasePath(this.#shell.paths.stateFolder);
    if (!isThere(path)) return;
    const ledger = openDatabase(path, "read_only");
    try {
      markThroughTc(this.#database, ledger, fromMs);
    } finally {
      ledger.close();
    }
  }
}

/** Returns what is not read yet, the latest first. */
function unread(
  files: readonly TranscriptFile[],
  known: ReadonlyMap<string, KnownFile>,
): readonly Part[] {
  const parts = files.flatMap((file): readonly Part[] => {
    const before = known.get(file.path);
    if (before === undefined || before.inode !== file.inode) {
      return [{ file, from: 0 }];
    }
    if (before.size === file.size && before.writtenAt === file.writtenAt) {
      return [];
    }
    // A shorter file is another one.
    const isLonger = file.size >= before.knownBytes &&
      file.size >= before.size;
    return [{ file, from: isLonger ? before.knownBytes : 0 }];
  });
  return parts.toSorted((a, b) => b.file.writtenAt - a.file.writtenAt);
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
