/**
 * One answer of the scripted origin: its bytes, and how they are delivered.
 *
 * @module
 */

import type { HeaderList } from "../ports.ts";
import { bytesOf, joined } from "./bytes.ts";
import type { RawConnection, RawRequest } from "./raw_connection.ts";

/** What one request is answered with. */
export interface OriginAnswer {
  readonly status?: number;
  readonly reason?: string;
  readonly headers?: HeaderList;
  readonly body?: string | Uint8Array;
  /** How the end of the body is told; `none` adds no header at all. */
  readonly framing?: "length" | "chunked" | "close" | "none";
  /** Replaces status, headers and body: the bytes as they are. */
  readonly raw?: string | Uint8Array;
  /** Sizes of the writes, the last one again and again; else all at once. */
  readonly writes?: readonly number[];
  /** Between writes. */
  readonly pauseMs?: number;
  /** Before the first write. */
  readonly delayMs?: number;
  /** FIN after so many bytes of the answer, head included. */
  readonly cutAt?: number;
  /** Silence after so many bytes, until the client goes. */
  readonly stallAt?: number;
  /** Whether it answers before it has read the body. */
  readonly isEarly?: boolean;
}

/** A request as it came, and what became of its answer. */
export interface OriginRequest extends RawRequest {
  readonly ordinal: number;
  /** Counts connections from 0. */
  readonly connection: number;
  readonly bodySha256: string;
  /** Milliseconds of `performance.now()`. */
  readonly arrivedAtMs: number;
  /** Bytes of the answer that were written. */
  readonly writtenBytes: number;
  /** When and by whom the connection was closed; null while it is open. */
  readonly closedAtMs: number | null;
  readonly closedBy: "client" | "origin" | null;
}

/** The same, for the one who writes it. */
export type OpenOriginRequest = {
  -readonly [Key in keyof OriginRequest]: OriginRequest[Key];
};

export interface Delivery {
  readonly connection: RawConnection;
  readonly request: OpenOriginRequest;
  readonly answer: OriginAnswer;
}

/** The bytes of `answer`, head and framed body. */
export function answerBytes(answer: OriginAnswer): Uint8Array {
  if (answer.raw !== undefined) return bytesOf(answer.raw);
  const status = answer.status ?? 200;
  const body = bytesOf(answer.body ?? "");
  const framing = answer.framing ?? "length";
  const lines = [
    `HTTP/1.1 ${status} ${answer.reason ?? "OK"}`,
    ...(answer.headers ?? []).map(([name, value]) => `${name}: ${value}`),
    ...framingLines(framing, body.length),
  ];
  const head = bytesOf(`${lines.join("\r\n")}\r\n\r\n`);
  return joined(
    framing === "chunked"
      ? [head, ...chunks(body, answer.writes?.[0] ?? body.length)]
      : [head, body],
  );
}

/** Whether the connection can go on after it: all was written, all are there. */
export async function deliver(delivery: Delivery): Promise<boolean> {
  const { connection, request, answer } = delivery;
  const stop = new AbortController();
  const gone = connection.gone().then(() => stop.abort());
  const bytes = answerBytes(answer);
  const end = Math.min(
    answer.cutAt ?? answer.stallAt ?? Infinity,
    bytes.length,
  );
  try {
    await pause(answer.delayMs ?? 0, stop.signal);
    for (const [from, to] of pieces(end, answer.writes ?? [])) {
      if (from > 0) await pause(answer.pauseMs ?? 0, stop.signal);
      stop.signal.throwIfAborted();
      await connection.write(bytes.subarray(from, to));
      request.writtenBytes = to;
    }
  } catch {
    // The client went while the answer was on its way.
    request.closedBy = "client";
    return false;
  }
  if (answer.cutAt !== undefined) {
    request.closedBy = "origin";
    return false;
  }
  if (answer.stallAt === undefined) return true;
  await gone;
  request.closedBy = "client";
  return false;
}

function framingLines(
  framing: NonNullable<OriginAnswer["framing"]>,
  bodyBytes: number,
): readonly string[] {
  switch (framing) {
    case "length":
      return [`content-length: ${bodyBytes}`];
    case "chunked":
      return ["transfer-encoding: chunked"];
    case "close":
      return ["connection: close"];
    case "none":
      return [];
  }
}

function chunks(body: Uint8Array, size: number): readonly Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < body.length; at += size) {
    const part = body.subarray(at, at + size);
    parts.push(bytesOf(`${part.length.toString(16)}\r\n`), part, CRLF);
  }
  return [...parts, bytesOf("0\r\n\r\n")];
}

const CRLF = bytesOf("\r\n");

/** Where each write starts and ends; the last size goes on to the end. */
function* pieces(
  end: number,
  sizes: readonly number[],
): Generator<readonly [from: number, to: number]> {
  let from = 0;
  for (let index = 0; from < end; index++) {
    const size = sizes[index] ?? sizes.at(-1) ?? end;
    const to = Math.min(end, from + Math.max(1, size));
    yield [from, to];
    from = to;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0) return Promise.resolve();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const leave = () => reject(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", leave);
  });
}
