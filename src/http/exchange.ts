/**
 * One request and its answer on one connection.
 *
 * The request counts as sent as soon as a write has begun. Only one case is
 * provably unsent: the first write on a plain connection failed, since then the
 * kernel took no byte. (A TLS write may fail with a part of it on its way.)
 *
 * @module
 */

import { reasonOf, UpstreamError, type UpstreamStep } from "../errors.ts";
import type { BodyStream, UpstreamBody, UpstreamResponse } from "../ports.ts";
import { type BodyFraming, framingFor } from "./framing.ts";
import type { Connection } from "./connection.ts";
import {
  findHeadEnd,
  parseResponseHead,
  type ResponseHead,
} from "./response.ts";
import { ProtocolError } from "./head.ts";
import type { OutgoingMessage } from "./request.ts";
import { TimeLimitError } from "./deadline.ts";

/** The most interim answers (1xx) before the final one. */
const INTERIM_ANSWERS_MAX = 16;

/** What an exchange needs of the pool. */
interface ExchangeHost {
  readonly originName: string;
  /** Whether tc is closing all its connections. */
  readonly isClosing: boolean;
  /** Takes back a connection whose answer was read to its end, unless closed. */
  release(connection: Connection): void;
  /** Notes that a connection from the pool had been closed by the upstream. */
  onDeadReuse(connection: Connection): void;
}

/** The request, as bytes and with what its answer depends on. */
interface ExchangeRequest extends OutgoingMessage {
  readonly method: string;
  readonly signal: AbortSignal;
}

/** The client did not send all of an upload; the upstream is not at fault. */
class UploadError extends Error {}

/** The upstream ended the connection before the answer was complete. */
class BrokenAnswer extends Error {}

/** Sends one request and is the body of its answer. */
export class Exchange implements UpstreamBody {
  complete: Uint8Array | null = null;
  readonly #connection: Connection;
  readonly #host: ExchangeHost;
  readonly #message: ExchangeRequest;
  #step: UpstreamStep = "write";
  #isSent = false;
  /** The request's signal aborted, or its caller gave up the answer. */
  #isGivenUp = false;
  #wasClosedHere = false;
  #unsentBytes: number;
  #head: ResponseHead | null = null;
  #interimAnswers = 0;
  /** Bytes of an unfinished head that were scanned. */
  #scannedBytes = 0;
  #framing: BodyFraming | null = null;
  /** Body bytes that came with the head. */
  #firstChunk: Uint8Array | null = null;
  #isOver = false;
  #failure: UpstreamError | null = null;

  constructor(
    connection: Connection,
    host: ExchangeHost,
    message: ExchangeRequest,
  ) {
    this.#connection = connection;
    this.#host = host;
    this.#message = message;
    // An upload is not wholly sent before its end.
    this.#unsentBytes = message.upload === null
      ? message.first.length + message.rest.length
      : Infinity;
  }

  /** Whether the exchange failed because our side had closed the connection. */
  get wasClosedHere(): boolean {
    return this.#wasClosedHere;
  }

  /** Whether the kernel has taken the last byte of the request. */
  get isWholeSent(): boolean {
    return this.#unsentBytes === 0;
  }

  /**
   * Sends the request and reads the head of the answer. Throws UpstreamError,
   * and then the connection is closed.
   */
  async run(): Promise<UpstreamResponse> {
    const { signal } = this.#message;
    signal.addEventListener("abort", this.#abort);
    try {
      if (signal.aborted) this.#abort();
      await this.#send();
      this.#step = "head";
      while (this.#head === null) await this.#readHead();
      this.#step = "body";
      this.#beginBody(this.#head);
      const { status, headers } = this.#head;
      return { status, headers, body: this };
    } catch (cause) {
      throw this.#fail(cause);
    }
  }

  async read(): Promise<Uint8Array | null> {
    const ready = this.#firstChunk;
    if (ready !== null) {
      this.#firstChunk = null;
      return ready;
    }
    if (this.#failure !== null) throw this.#failure;
    const framing = this.#framing;
    if (this.#isOver || framing === null) return null;
    const connection = this.#connection;
    try {
      connection.enter("reading");
      while (!framing.isDone) {
        if (await connection.read() === 0) {
          this.#endByClose(framing);
          break;
        }
        const chunk = this.#take(framing);
        if (chunk.length === 0) continue;
        if (!framing.isDone) connection.enter("paused");
        return chunk;
      }
      return null;
    } catch (cause) {
      throw this.#fail(cause);
    }
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#isGivenUp = true;
    this.#connection.close(new Error("the answer was given up"));
    this.#fail(null);
  }

  readonly #abort = (): void => {
    this.#isGivenUp = true;
    this.#connection.close(this.#message.signal.reason);
  };

  async #send(): Promise<void> {
    const { first, rest, upload } = this.#message;
    const connection = this.#connection;
    // From here on an early answer and the connection's end are noticed.
    connection.listen();
    if (connection.hasArrived || connection.isClosed) {
      throw new BrokenAnswer("the connection ended before the request");
    }
    this.#isSent = true;
    let count: number;
    try {
      count = await connection.write(first);
    } catch (cause) {
      this.#isSent = connection.isTls || connection.isClosed;
      throw cause;
    }
    this.#unsentBytes -= count;
    if (count < first.length) await this.#upload(first.subarray(count));
    if (rest.length > 0) await this.#upload(rest);
    if (upload !== null) await this.#pump(upload);
  }

  /**
   * Sends a body as it comes in. An answer that comes before its end stops the
   * upload, and the connection is not used again.
   */
  async #pump(upload: BodyStream): Promise<void> {
    const isChunked = upload.statedBytes === null;
    while (this.#head === null) {
      const chunk = await this.#chunkOf(upload);
      if (this.#head !== null) return;
      if (chunk === null) break;
      if (chunk.length === 0) continue;
      if (isChunked) await this.#uploadText(`${chunk.length.toString(16)}\r\n`);
      await this.#upload(chunk);
      if (isChunked) await this.#uploadText("\r\n");
    }
    if (isChunked) await this.#uploadText("0\r\n\r\n");
    this.#unsentBytes = 0;
  }

  /** Returns the client's next bytes; null at the end, or if the upstream answers first. */
  async #chunkOf(upload: BodyStream): Promise<Uint8Array | null> {
    const connection = this.#connection;
    let chunk: Uint8Array | null = null;
    let failure: UploadError | null = null;
    const reading = upload.read().then((bytes) => {
      chunk = bytes;
    }, (cause) => {
      failure = new UploadError(reasonOf(cause));
    });
    for (;;) {
      await connection.settledOrArrived(reading);
      if (!connection.hasArrived) break;
      await this.#readHead();
      connection.listen();
      if (this.#head !== null) return null;
    }
    await reading;
    if (failure !== null) throw failure;
    return chunk;
  }

  async #uploadText(text: string): Promise<void> {
    this.#unsentBytes += text.length;
    await this.#upload(new TextEncoder().encode(text));
  }

  /** Writes `bytes`; stops when the head of an answer comes before their end. */
  async #upload(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length && this.#head === null) {
      const writing = this.#connection.write(bytes.subarray(at))
        .then((count) => {
          at += count;
          this.#unsentBytes -= count;
        });
      await this.#settled(writing);
    }
  }

  /**
   * Waits for a write and meanwhile reads what the upstream sends; returns when
   * the write is done or the head of an early answer is here.
   */
  async #settled(writing: Promise<void>): Promise<void> {
    const connection = this.#connection;
    for (;;) {
      await connection.settledOrArrived(writing);
      if (!connection.hasArrived) break;
      await this.#readHead();
      connection.listen();
      if (this.#head !== null) return;
    }
    try {
      await writing;
    } catch (cause) {
      await this.#readAfterReset(cause);
    }
  }

  /** Reads on after a failed write: an upstream may answer first and then reset. */
  async #readAfterReset(cause: unknown): Promise<void> {
    try {
      while (this.#head === null) await this.#readHead();
    } catch {
      // No answer came: the failed write is the reason to report.
      throw cause;
    }
  }

  /** Reads once, and sets `#head` when the head is complete. */
  async #readHead(): Promise<void> {
    const connection = this.#connection;
    if (await connection.read() === 0) {
      throw new BrokenAnswer("it closed the connection without an answer");
    }
    while (this.#head === null) {
      const { slab, start: from, end: to } = connection;
      const scanFrom = from + this.#scannedBytes;
      const headEnd = findHeadEnd(slab, { from, to }, scanFrom);
      this.#scannedBytes = to - from;
      if (headEnd < 0) return;
      const window = { from, to: headEnd };
      const head = parseResponseHead(slab, window, this.#message.method);
      connection.consume(headEnd - from);
      this.#scannedBytes = 0;
      if (head.status >= 200) this.#head = head;
      else this.#skipInterim(head);
    }
  }

  #skipInterim({ status }: ResponseHead): void {
    if (status === 101) {
      throw new ProtocolError("it switched protocols without being asked");
    }
    if (++this.#interimAnswers <= INTERIM_ANSWERS_MAX) return;
    throw new ProtocolError(`over ${INTERIM_ANSWERS_MAX} interim answers`);
  }

  #beginBody(head: ResponseHead): void {
    const framing = framingFor(head.bodyEnd);
    this.#framing = framing;
    this.#connection.enter("paused");
    const chunk = this.#take(framing);
    if (framing.isDone) this.complete = chunk;
    if (chunk.length > 0) this.#firstChunk = chunk;
  }

  /** Returns the body bytes in what was read; the last one ends the exchange. */
  #take(framing: BodyFraming): Uint8Array {
    const chunk = framing.take(this.#connection.unconsumed());
    this.#connection.consume(framing.consumedBytes);
    if (framing.isDone) this.#finish();
    return chunk;
  }

  /** Ends a complete answer; the connection is reused if it is clean. */
  #finish(): void {
    this.#isOver = true;
    this.#message.signal.removeEventListener("abort", this.#abort);
    const connection = this.#connection;
    const isClean = this.isWholeSent && !connection.hasArrived &&
      connection.start === connection.end;
    const isReusable = isClean && this.#framing?.endsByClose === false &&
      this.#head?.isPersistent === true;
    if (isReusable) this.#host.release(connection);
    else connection.close(null);
  }

  #endByClose(framing: BodyFraming): void {
    if (!framing.endsByClose) {
      throw new BrokenAnswer("the connection closed before the body's end");
    }
    this.#finish();
  }

  #fail(cause: unknown): UpstreamError {
    if (this.#failure !== null) return this.#failure;
    const connection = this.#connection;
    const { originName } = this.#host;
    // If our side closed the connection, the failed read or write only shows that.
    const root = connection.closedBecause ?? cause;
    const isAborted = (this.#isGivenUp || this.#host.isClosing) &&
      !(root instanceof TimeLimitError);
    const reason = isAborted ? "the request was given up" : reasonOf(root);
    this.#wasClosedHere = connection.isClosed;
    if (!(cause instanceof UploadError) && this.#isDeadReuse()) {
      this.#host.onDeadReuse(connection);
    }
    const what = this.#step === "body"
      ? "read the whole answer of"
      : "get an answer from";
    this.#failure = new UpstreamError(
      `Cannot ${what} ${originName}: ${reason}`,
      {
        sent: this.#isSent,
        step: isAborted ? "aborted" : this.#step,
        cause: root,
      },
    );
    this.#isOver = true;
    this.#firstChunk = null;
    this.#message.signal.removeEventListener("abort", this.#abort);
    connection.close(cause);
    return this.#failure;
  }

  /** Whether the upstream had closed the connection while it rested in the pool. */
  #isDeadReuse(): boolean {
    const { isFresh, isClosed, start, end } = this.#connection;
    return !isFresh && !isClosed && this.#head === null && start === end;
  }
}
