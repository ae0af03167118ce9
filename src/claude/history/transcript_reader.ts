/**
 * Reads transcripts on from where the last look ended, in bounded memory: a line
 * may hold a picture of 50 MB.
 *
 * @module
 */

import type { TranscriptAnswer } from "../../core/transcript.ts";
import { asTime } from "../claude_file.ts";
import { repositoryOf } from "../sessions/project.ts";
import {
  answerIn,
  bytesText,
  type LineFrame,
  linePartsOf,
  slimLine,
  withoutContent,
} from "./transcript_line.ts";
import { LastAnswer } from "./last_answer.ts";
import { Needle } from "./byte_search.ts";

/** A line that states the tokens of an answer has this, outside of its texts. */
const USAGE = new Needle('"usage"');
const BY_USER = new Needle('"role":"user"');
const CONTENT = new Needle('"content":');
const OF_TOOL = new Needle('"tool_result"');
const COMPACTED = new Needle('"isCompactSummary":true');
const TIMESTAMP = new Needle('"timestamp":"');
const CHUNK_BYTES = 256 * 1024;
/** The reader keeps only the two ends of a longer line. */
const LINE_BYTES_MAX = 1024 * 1024;
const END_BYTES = 64 * 1024;
/** Within it a line says whether a person or a tool speaks. */
const HEAD_BYTES = 1_024;
const LINE_END = 10;
const QUOTE = 34;

/** A transcript, and how much of it is known. */
export interface TranscriptPart {
  readonly path: string;
  readonly session: string;
  /** Bytes of whole lines that were read before. */
  readonly from: number;
}

/** Where answers go, and whether the reading goes on. */
interface ReadOptions {
  readonly take: (answer: TranscriptAnswer) => void;
  /** Called after each chunk; false stops. */
  readonly goOn: (bytes: number) => Promise<boolean> | boolean;
}

/** Reads one transcript after the other, with one piece of memory. */
export class TranscriptReader {
  #buffer = new Uint8Array(2 * CHUNK_BYTES);
  /** Repositories by folder: many lines name the same one. */
  readonly #projects = new Map<string, string>();

  /**
   * Passes the answers of the part to `take`, and returns the bytes of whole
   * lines that are known now. Throws if the file cannot be read.
   */
  async read(
    { path, session, from }: TranscriptPart,
    { take, goOn }: ReadOptions,
  ): Promise<number> {
    using file = Deno.openSync(path);
    file.seekSync(from, Deno.SeekMode.Start);
    const projectOf = (folder: string) => this.#projectOf(folder);
    const lines = new Lines({ path, session, projectOf }, take);
    let offset = from;
    let filled = 0;
    let long: LongLine | null = null;
    for (;;) {
      this.#grow(filled);
      const read = file.readSync(
        this.#buffer.subarray(filled, filled + CHUNK_BYTES),
      ) ?? 0;
      if (read === 0) break;
      let fresh = this.#buffer.subarray(filled, filled + read);
      if (long !== null) {
        const end = fresh.indexOf(LINE_END);
        long.push(end < 0 ? fresh : fresh.subarray(0, end));
        if (end >= 0) {
          lines.long(long);
          offset += long.length + 1;
          long = null;
          fresh = fresh.subarray(end + 1);
          this.#buffer.set(fresh);
          filled = fresh.length;
          fresh = this.#buffer.subarray(0, filled);
        }
      } else filled += read;
      const end = long === null ? fresh.lastIndexOf(LINE_END) : -1;
      if (end >= 0) {
        const whole = filled - fresh.length + end + 1;
        lines.block(this.#buffer.subarray(0, whole));
        offset += whole;
        this.#buffer.copyWithin(0, whole, filled);
        filled -= whole;
      }
      if (filled > LINE_BYTES_MAX) {
        long = new LongLine(this.#buffer.subarray(0, filled));
        filled = 0;
      }
      if (!await goOn(read)) return offset;
    }
    // A last line without an end may be whole; it will be read again.
    if (long === null) lines.block(this.#buffer.subarray(0, filled));
    return offset;
  }

  #projectOf(folder: string): string {
    const known = this.#projects.get(folder);
    if (known !== undefined) return known;
    const project = repositoryOf(folder);
    this.#projects.set(folder, project);
    return project;
  }

  /** Makes room for a chunk after what is filled. */
  #grow(filled: number): void {
    if (filled + CHUNK_BYTES <= this.#buffer.length) return;
    const larger = new Uint8Array(2 * this.#buffer.length);
    larger.set(this.#buffer.subarray(0, filled));
    this.#buffer = larger;
  }
}

/** Reads the lines of one file in their order. */
class Lines {
  readonly #place: Pick<LineFrame, "path" | "session" | "projectOf">;
  readonly #take: (answer: TranscriptAnswer) => void;
  #askedAt: number | null = null;
  #isPrompt = false;
  #isCompacted = false;
  readonly #last = new LastAnswer();
  /** The last request in the block that is being read, which is not noted yet. */
  #request: Uint8Array | null = null;

  constructor(
    place: Pick<LineFrame, "path" | "session" | "projectOf">,
    take: (answer: TranscriptAnswer) => void,
  ) {
    this.#place = place;
    this.#take = take;
  }

  /** Reads whole lines. */
  block(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      const lineEnd = bytes.indexOf(LINE_END, from);
      const end = lineEnd < 0 ? bytes.length : lineEnd;
      this.#line(bytes.subarray(from, end));
      from = end + 1;
    }
    // The memory of the lines is about to be used again.
    this.#noteRequest();
  }

  #line(line: Uint8Array): void {
    if (isRequest(line)) {
      this.#request = line;
      return;
    }
    if (USAGE.last(line) < 0) return;
    this.#noteRequest();
    this.#readAnswer(line);
  }

  /** Reads a line that was too long to be kept. */
  long(line: LongLine): void {
    this.#answer(line.text());
  }

  /** Takes the answer that the line states, if it states one. */
  #readAnswer(line: Uint8Array): void {
    const parts = linePartsOf(line);
    if (parts !== null) {
      if (this.#last.isRepeatedBy(line, parts)) return;
      if (this.#answer(slimLine(line, parts))) {
        return this.#last.remember(line, parts);
      }
    }
    this.#answer(bytesText(line));
  }

  /** Returns whether the line states an answer. */
  #answer(line: string): boolean {
    const answer = answerIn(line, {
      ...this.#place,
      askedAt: this.#askedAt,
      isPrompt: this.#isPrompt,
      isCompacted: this.#isCompacted,
    });
    if (answer === null) return false;
    this.#last.forget();
    this.#take(answer);
    return true;
  }

  /**
   * Notes when the last request was sent, and whether a person's words were in
   * it.
   */
  #noteRequest(): void {
    const line = this.#request;
    if (line === null) return;
    this.#request = null;
    const head = line.subarray(0, HEAD_BYTES);
    const tail = line.subarray(-HEAD_BYTES);
    this.#isPrompt = OF_TOOL.first(head) < 0;
    this.#isCompacted = this.#isPrompt &&
      (COMPACTED.first(head) >= 0 || COMPACTED.first(tail) >= 0);
    this.#askedAt = asTime(timestampIn(tail) ?? timestampIn(head));
  }
}

/** Returns whether the line is a request: it says so before its content. */
function isRequest(line: Uint8Array): boolean {
  const found = BY_USER.first(line, 0, Math.min(line.length, HEAD_BYTES));
  return found >= 0 && CONTENT.first(line, 0, found) < 0;
}

function timestampIn(bytes: Uint8Array): string | null {
  const found = TIMESTAMP.first(bytes);
  if (found < 0) return null;
  const start = found + TIMESTAMP.length;
  const end = bytes.indexOf(QUOTE, start);
  return end < 0 ? null : bytesText(bytes.subarray(start, end));
}

/**
 * A line too long to be kept. Its ends have all that is wanted: a message says
 * who it is before its content, and what it took after it.
 */
class LongLine {
  readonly #head: Uint8Array;
  /** The last bytes; older ones stand before them. */
  readonly #tail = new Uint8Array(2 * END_BYTES);
  #filled = 0;
  #length = 0;

  constructor(begun: Uint8Array) {
    this.#head = begun.slice(0, END_BYTES);
    this.push(begun);
  }

  get length(): number {
    return this.#length;
  }

  push(more: Uint8Array): void {
    this.#length += more.length;
    const added = more.subarray(-END_BYTES);
    if (this.#filled + added.length > this.#tail.length) {
      const from = Math.max(0, this.#filled - END_BYTES);
      this.#tail.copyWithin(0, from, this.#filled);
      this.#filled -= from;
    }
    this.#tail.set(added, this.#filled);
    this.#filled += added.length;
  }

  /** Returns the line without its content; empty if that cannot be told. */
  text(): string {
    const kept = this.#tail.subarray(0, this.#filled).subarray(-END_BYTES);
    const head = bytesText(this.#head);
    const tail = bytesText(kept);
    return withoutContent(head, tail) ?? "";
  }
}
