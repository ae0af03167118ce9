/**
 * Finds the events in a byte stream, wherever its chunks are cut.
 *
 * @module
 */

import { startsWithAt } from "../request/json.ts";

/** A buffer that grows as bytes are appended, in amortised constant time each. */
export class GrowingBytes {
  #bytes = new Uint8Array(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(from: Uint8Array, start: number, end: number): void {
    const length = this.#length + end - start;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(from.subarray(start, end), this.#length);
    this.#length = length;
  }

  /** Returns all bytes; valid until the next `append` or `take`. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Returns all bytes and empties the buffer. */
  take(): Uint8Array {
    const taken = this.view();
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
    return taken;
  }
}

/** One event of a stream. */
export interface SseEvent {
  /** `message` if the stream gives no name, as in the standard. */
  readonly event: string;
  /** A copy of the data lines without `data:`, joined by LF. */
  readonly data: Uint8Array;
}

interface SseScannerOptions {
  /** Names to report; events of other names are skipped undecoded. */
  readonly wanted?: readonly string[];
  /** Events with more data, or with a longer line, are skipped. */
  readonly eventBytesMax?: number;
}

/** A hundred times what the API sends; stops a stream without line ends. */
const EVENT_BYTES_MAX = 1024 * 1024;

/** Limits the lines of an event: an empty line costs more memory than its bytes. */
const DATA_LINES_MAX = 4_096;

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;

/**
 * Reads a stream of server-sent events (WHATWG HTML, 9.2.6): lines end in CR,
 * LF or CRLF, a byte order mark may start the stream, and `id`, `retry` and
 * comments are ignored. An event counts once its empty line has come. Memory is
 * bounded by `eventBytesMax`. Unlike in the standard, an event with an unwanted
 * name is skipped at once, whatever other name it gets later.
 */
export class SseScanner {
  readonly #wanted: readonly string[] | null;
  readonly #eventBytesMax: number;
  /** The beginning of a line that continues in the next chunk. */
  readonly #rest = new GrowingBytes();
  /** Its length so far, even if its bytes are not kept. */
  #restLength = 0;
  #isAfterCr = false;
  #isFirstLine = true;
  #name: string | null = null;
  #data: Uint8Array[] = [];
  #dataLength = 0;
  #isGivenUp = false;

  constructor(options: SseScannerOptions = {}) {
    this.#wanted = options.wanted ?? null;
    this.#eventBytesMax = options.eventBytesMax ?? EVENT_BYTES_MAX;
  }

  /** Returns the events that `chunk` completes, in order. */
  push(chunk: Uint8Array): readonly SseEvent[] {
    const events: SseEvent[] = [];
    let at = 0;
    if (this.#isAfterCr && chunk.length > 0) {
      this.#isAfterCr = false;
      if (chunk[0] === LF) at = 1;
    }
    while (at < chunk.length) {
      const end = lineEnd(chunk, at);
      if (end === chunk.length) {
        this.#keep(chunk, at);
        break;
      }
      const event = this.#line(chunk, at, end);
      if (event !== null) events.push(event);
      at = end + 1;
      if (chunk[end] !== CR) continue;
      if (at === chunk.length) this.#isAfterCr = true;
      else if (chunk[at] === LF) at++;
    }
    return events;
  }

  #keep(chunk: Uint8Array, at: number): void {
    this.#restLength += chunk.length - at;
    if (this.#isGivenUp) return;
    if (this.#restLength > this.#eventBytesMax) this.#giveUp();
    else this.#rest.append(chunk, at, chunk.length);
  }

  /** Reads a whole line, which ends in `chunk`. */
  #line(chunk: Uint8Array, start: number, end: number): SseEvent | null {
    const length = this.#restLength + end - start;
    const hasRest = this.#restLength > 0;
    this.#restLength = 0;
    if (length === 0) return this.#dispatch();
    if (this.#isGivenUp) return null;
    if (length > this.#eventBytesMax) {
      this.#giveUp();
      return null;
    }
    if (!hasRest) return this.#field(chunk, start, end);
    this.#rest.append(chunk, start, end);
    const line = this.#rest.take();
    return this.#field(line, 0, line.length);
  }

  #field(bytes: Uint8Array, start: number, end: number): SseEvent | null {
    let at = start;
    if (this.#isFirstLine) {
      this.#isFirstLine = false;
      const hasMark = bytes[at] === 0xef && bytes[at + 1] === 0xbb &&
        bytes[at + 2] === 0xbf;
      if (hasMark) at += 3;
      if (at >= end) return this.#dispatch();
    }
    const data = valueStart(bytes, [at, end], "data");
    if (data !== null) this.#takeData(bytes.slice(data, end));
    const name = valueStart(bytes, [at, end], "event");
    if (name !== null) this.#takeName(bytes, name, end);
    return null;
  }

  #takeData(line: Uint8Array): void {
    this.#dataLength += line.length + 1;
    const isTooMuch = this.#dataLength > this.#eventBytesMax + 1 ||
      this.#data.length === DATA_LINES_MAX;
    if (isTooMuch) this.#giveUp();
    else this.#data.push(line);
  }

  #takeName(bytes: Uint8Array, start: number, end: number): void {
    if (this.#wanted === null) {
      this.#name = new TextDecoder().decode(bytes.subarray(start, end));
      return;
    }
    const name = this.#wanted.find((name) =>
      name.length === end - start && startsWithAt(bytes, start, name)
    );
    // An empty name counts as no name: the event is a `message`.
    if (name === undefined && end > start) this.#giveUp();
    else this.#name = name ?? null;
  }

  #giveUp(): void {
    this.#isGivenUp = true;
    this.#data = [];
    this.#rest.take();
  }

  #dispatch(): SseEvent | null {
    const event = this.#name === null || this.#name === ""
      ? "message"
      : this.#name;
    const lines = this.#data;
    const isReported = !this.#isGivenUp && lines.length > 0 &&
      (this.#wanted?.includes(event) ?? true);
    this.#name = null;
    this.#data = [];
    this.#dataLength = 0;
    this.#isGivenUp = false;
    this.#isFirstLine = false;
    return isReported ? { event, data: joined(lines) } : null;
  }
}

/** Returns the index of the next CR or LF, or the length. */
function lineEnd(bytes: Uint8Array, at: number): number {
  let index = at;
  for (; index < bytes.length; index++) {
    const byte = bytes[index];
    if (byte === LF || byte === CR) break;
  }
  return index;
}

/** Returns where the line's value begins if its field is `name`, else null. */
function valueStart(
  bytes: Uint8Array,
  [start, end]: readonly [start: number, end: number],
  name: string,
): number | null {
  const after = start + name.length;
  if (after > end || !startsWithAt(bytes, start, name)) return null;
  if (after === end) return end;
  if (bytes[after] !== COLON) return null;
  const isSpaced = after + 1 < end && bytes[after + 1] === SPACE;
  return after + (isSpaced ? 2 : 1);
}

function joined(lines: readonly Uint8Array[]): Uint8Array {
  const [only] = lines;
  if (only !== undefined && lines.length === 1) return only;
  const length = lines.reduce((sum, line) => sum + line.length, 0);
  const whole = new Uint8Array(length + lines.length - 1).fill(LF);
  let at = 0;
  for (const line of lines) {
    whole.set(line, at);
    at += line.length + 1;
  }
  return whole;
}
