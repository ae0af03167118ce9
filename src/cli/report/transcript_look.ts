/**
 * One look at the transcripts: what is new is read, by two threads where there is
 * much, and written in pieces, each whole or not at all.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { PartList } from "../../claude/history/part_list.ts";
import {
  type PartRead,
  SecondReader,
} from "../../claude/history/second_reader.ts";
import type { TranscriptFile } from "../../claude/history/transcript_files.ts";
import { TranscriptReader } from "../../claude/history/transcript_reader.ts";
import { priceBook } from "../../config/config.ts";
import { costNanodollars } from "../../core/pricing.ts";
import { DAY_MS } from "../../core/time.ts";
import { TranscriptAnswers } from "../../core/transcript.ts";
import {
  HistoryStore,
  type KnownFile,
} from "../../store/history/history_store.ts";
import { markThroughTc } from "../../store/history/through_tc.ts";
import { databasePath, openDatabase } from "../../store/ledger/database.ts";
import { QUARTER_MS } from "../../store/ledger/ledger.ts";
import { systemClock } from "../../system/clock.ts";
import type { Shell } from "../shell.ts";

/** Answers and bytes that are written at once. */
const ANSWERS_AT_ONCE = 20_000;
const BYTES_AT_ONCE = 512 * 1024 * 1024;
/** Fewer while another thread reads on: this one has nothing else to do last. */
const ANSWERS_AT_ONCE_OF_TWO = 1_000;
/** Less is read sooner than a second thread has started. */
const TWO_THREADS_BYTES_MIN = 32 * 1024 * 1024;
/** The server may write an answer's row later than the client writes its line. */
const LATE_MS = DAY_MS;

/** How fast and how far a look reads. */
export interface Pace {
  /** Bytes to read, and bytes that were read. */
  total: number;
  readonly done: number;
  readonly isStopped: boolean;
  /** Whether a second thread may read as well. */
  readonly isHurried: boolean;
  /** Counts bytes; returns whether to go on, at once or after a pause. */
  add(bytes: number): boolean | Promise<boolean>;
}

/** What a look must know of the command that wants it. */
export type LookPlace = Pick<
  Shell,
  "environment" | "system" | "paths" | "config"
>;

/** What is to be read of a transcript. */
interface Part {
  readonly file: TranscriptFile;
  readonly from: number;
}

/** Makes one look; of no use afterwards. */
export class TranscriptLook {
  readonly #place: LookPlace;
  readonly #database: DatabaseSync;
  readonly #pace: Pace;
  readonly #store: HistoryStore;
  readonly #reader = new TranscriptReader();
  /** The parts that nobody has read yet, by their index. */
  readonly #unread = new Map<number, Part>();
  #list = new PartList(0);
  #answers = new TranscriptAnswers();
  #known: KnownFile[] = [];
  #bytes = 0;
  #firstChange = Infinity;

  constructor(place: LookPlace, database: DatabaseSync, pace: Pace) {
    this.#place = place;
    this.#database = database;
    this.#pace = pace;
    const prices = priceBook(place.config);
    this.#store = new HistoryStore(
      database,
      (usage, about) => costNanodollars(usage, about, prices),
    );
  }

  /** Reads what `files` have that is not known yet. Throws what the database throws. */
  async at(files: readonly TranscriptFile[]): Promise<void> {
    const pace = this.#pace;
    const parts = partsOf(files, this.#store.files());
    parts.forEach((part, at) => this.#unread.set(at, part));
    pace.total = parts.reduce(
      (sum, { file, from }) => sum + file.size - from,
      0,
    );
    this.#list = new PartList(parts.length);
    using second = this.#secondReader(parts);
    const atOnce = second === null ? ANSWERS_AT_ONCE : ANSWERS_AT_ONCE_OF_TWO;
    for (let at = this.#list.take(); at !== null; at = this.#list.take()) {
      await this.#read(at);
      const isFull = this.#answers.count >= atOnce ||
        this.#bytes >= BYTES_AT_ONCE;
      if (isFull) this.#write();
    }
    await second?.ended;
    // What the other thread took and did not tell, because it failed.
    for (const at of [...this.#unread.keys()]) {
      if (!pace.isStopped) await this.#read(at);
    }
    this.#write();
    this.#markThroughTc();
    this.#store.looked(systemClock.now(), !pace.isStopped);
  }

  #secondReader(parts: readonly Part[]): SecondReader | null {
    const { isHurried, total } = this.#pace;
    const isWorthIt = isHurried && total >= TWO_THREADS_BYTES_MIN &&
      parts.length > 1 && navigator.hardwareConcurrency > 1;
    if (!isWorthIt) return null;
    const asked = parts.map(({ file: { path, session }, from }) => ({
      path,
      session,
      from,
    }));
    return new SecondReader(asked, this.#list, (read) => this.#add(read));
  }

  async #read(at: number): Promise<void> {
    const part = this.#unread.get(at);
    if (part === undefined) return;
    const { file: { path, session }, from } = part;
    let isWhole = true;
    try {
      const knownBytes = await this.#reader.read({ path, session, from }, {
        take: (answer) => this.#answers.add(answer),
        goOn: async (bytes) => {
          this.#bytes += bytes;
          isWhole = await this.#pace.add(bytes + this.#list.takeBytes());
          if (!isWhole) this.#list.stop();
          return isWhole;
        },
      });
      this.#add({ at, answers: [], knownBytes, isWhole });
    } catch {
      // It is gone meanwhile, or not readable for us.
      this.#add({ at, answers: [], knownBytes: null, isWhole });
    }
  }

  /** Takes what was read of a part, to be written with the next piece. */
  #add({ at, answers, knownBytes, isWhole }: PartRead): void {
    const file = this.#unread.get(at)?.file;
    this.#unread.delete(at);
    for (const answer of answers) this.#answers.add(answer);
    if (file === undefined || knownBytes === null) return;
    // A file that was left in its middle is read on.
    const size = isWhole ? file.size : knownBytes;
    this.#known.push({ ...file, size, knownBytes });
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
    const path = databasePath(this.#place.paths.stateFolder);
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
function partsOf(
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

/** Returns whether there is a file at `path`. */
export function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
