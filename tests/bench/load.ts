/** The clients of the benchmark, and what they measured. */

import { Buffer } from "node:buffer";
import { conversationBody } from "./conversation.ts";
import type { Target } from "./targets.ts";

const SESSIONS = 64;
const SECOND_MS = 1_000;
/** A stream that says nothing for so long has failed. */
const SILENCE_MS = 20_000;

/** The lines of a request of Claude Code, more or less. */
const LINES = [
  "host: 127.0.0.1",
  "accept: application/json",
  "content-type: application/json",
  "user-agent: tc-bench",
  "anthropic-version: 2023-06-01",
  "anthropic-beta: claude-code-20250219,interleaved-thinking-2025-05-14",
  "x-app: cli",
  "x-stainless-lang: js",
  "x-stainless-retry-count: 0",
  "x-stainless-timeout: 600",
  "accept-encoding: gzip, deflate, br, zstd",
];

function bodyOf(bytes: number, isStream: boolean): string {
  const body = {
    model: "claude-opus-5-5",
    max_tokens: 1_000,
    stream: isStream,
    tools: [{ name: "Bash", input_schema: { type: "object" } }],
    messages: [{ role: "user", content: "" }],
  };
  const frame = JSON.stringify(body);
  const text = "some words of a prompt ".repeat(bytes / 20);
  const content = text.slice(0, Math.max(0, bytes - frame.length));
  return JSON.stringify({ ...body, messages: [{ role: "user", content }] });
}

function requestOf(
  target: Target,
  session: number,
  { bytes = 0, body: given, extra = [], isStream = false }: {
    readonly bytes?: number;
    /** In place of one of `bytes` bytes. */
    readonly body?: string;
    readonly extra?: readonly string[];
    readonly isStream?: boolean;
  },
): string {
  const body = given ?? bodyOf(bytes, isStream);
  return [
    `POST ${target.prefix}/v1/messages?beta=true HTTP/1.1`,
    ...LINES,
    `x-claude-code-session-id: 50aead76-f351-4346-b9ca-${
      `${session}`.padStart(12, "0")
    }`,
    ...extra,
    `content-length: ${Buffer.byteLength(body)}`,
    "",
    body,
  ].join("\r\n");
}

export interface Latency {
  readonly perSec: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly failed: number;
}

/** Requests of 2 KB, one after another on each connection, sent by wrk. */
export async function jsonLoad(
  target: Target,
  connections: number,
  durationMs: number,
): Promise<Latency> {
  const script = await Deno.makeTempFile({ suffix: ".lua" });
  const texts = Array.from(
    { length: SESSIONS },
    (_, session) => luaText(requestOf(target, session, { bytes: 2_048 })),
  );
  await Deno.writeTextFile(script, LUA.replace("TEXTS", texts.join(",\n")));
  const { stdout } = await new Deno.Command("wrk", {
    args: [
      "-t1",
      `-c${connections}`,
      `-d${Math.max(1, Math.round(durationMs / SECOND_MS))}s`,
      "-s",
      script,
      `http://127.0.0.1:${target.port}/`,
    ],
    stderr: "null",
  }).output();
  await Deno.remove(script);
  const text = new TextDecoder().decode(stdout);
  const line = text.split("\n").find((each) => each.startsWith("{"));
  if (line === undefined) throw new Error(`wrk said: ${text}`);
  return JSON.parse(line);
}

const LUA = `
local texts = {TEXTS}
local at = 0
request = function()
  at = at % #texts + 1
  return texts[at]
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '{"perSec":%.1f,"p50Us":%.1f,"p99Us":%.1f,"failed":%d}\\n',
    summary.requests / (summary.duration / 1e6),
    latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
`;

function luaText(text: string): string {
  const escaped = text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')
    .replaceAll("\r", "\\r").replaceAll("\n", "\\n");
  return `"${escaped}"`;
}

export interface StreamReading {
  readonly firstByteP50Ms: number;
  readonly firstByteP99Ms: number;
  /** From the origin's write to the client's read, an event. */
  readonly delayP50Us: number;
  readonly delayP99Us: number;
  readonly failed: number;
}

interface Streams {
  readonly streams: number;
  readonly events: number;
  readonly gapMs: number;
  /**
   * Whether each connection sends its request as soon as it is there. Else all
   * of them are opened first, so that the first bytes are measured alone.
   */
  readonly isAtOnce?: boolean;
}

/** So many streams at once; `midway` is called while all of them run. */
export async function streamLoad(
  target: Target,
  { streams, events, gapMs, isAtOnce = false }: Streams,
  midway: () => void,
): Promise<StreamReading> {
  const firstBytesMs: number[] = [];
  const delaysUs: number[] = [];
  let failed = 0;
  const opening = Array.from({ length: streams }, () => open(target.port));
  if (!isAtOnce) await Promise.all(opening);
  const timer = setTimeout(midway, events * gapMs * 0.6);
  await Promise.all(opening.map(async (opened, session) => {
    const connection = await opened;
    const extra = [`x-events: ${events} ${gapMs}`];
    const request = requestOf(target, session, {
      bytes: 2_048,
      extra,
      isStream: true,
    });
    const late = setTimeout(() => connection.close(), SILENCE_MS);
    try {
      const startedMs = performance.now();
      await writeAll(connection, Buffer.from(request));
      const seen = await readStream(
        connection,
        (ms) => delaysUs.push(ms * 1e3),
      );
      if (seen.firstMs > 0) firstBytesMs.push(seen.firstMs - startedMs);
      if (seen.events !== events) failed++;
    } catch {
      failed++;
    } finally {
      clearTimeout(late);
      close(connection);
    }
  }));
  clearTimeout(timer);
  return {
    firstByteP50Ms: percentile(firstBytesMs, 50),
    firstByteP99Ms: percentile(firstBytesMs, 99),
    delayP50Us: percentile(delaysUs, 50),
    delayP99Us: percentile(delaysUs, 99),
    failed,
  };
}

/** One streamed answer to `body`; returns whether all its events came. */
export async function streamOnce(
  target: Target,
  session: number,
  { body, events, gapMs }: {
    readonly body: string | undefined;
    readonly events: number;
    readonly gapMs: number;
  },
): Promise<boolean> {
  const connection = await open(target.port);
  const extra = [`x-events: ${events} ${gapMs}`];
  const request = requestOf(target, session, {
    ...body === undefined ? {} : { body },
    extra,
    isStream: true,
  });
  const late = setTimeout(() => connection.close(), SILENCE_MS);
  try {
    await writeAll(connection, Buffer.from(request));
    return (await readStream(connection, () => {})).events === events;
  } catch {
    return false;
  } finally {
    clearTimeout(late);
    close(connection);
  }
}

/**
 * Reads a whole streamed answer. Returns when its first event came, and how many
 * came in all, however they were cut.
 */
async function readStream(
  connection: Deno.TcpConn,
  onEvent: (delayMs: number) => void,
): Promise<{ readonly firstMs: number; readonly events: number }> {
  const bytes = Buffer.alloc(65_536);
  let text = "";
  let timedTo = 0;
  let firstMs = 0;
  while (!text.endsWith("\r\n0\r\n\r\n")) {
    const count = await connection.read(bytes);
    if (count === null) break;
    const now = performance.now();
    text += bytes.toString("latin1", 0, count);
    if (firstMs === 0 && text.includes("event:")) firstMs = now;
    // One that is cut here is not timed.
    for (
      const match of text.slice(timedTo).matchAll(/"sentAtMs":([\d.]+)\}/g)
    ) onEvent(performance.timeOrigin + now - Number(match[1]));
    timedTo = text.length;
  }
  const events = withoutChunks(text).split("event: content_block_delta\n");
  return { firstMs, events: events.length - 1 };
}

/** Returns the body of an answer that came in chunks. */
function withoutChunks(text: string): string {
  let body = "";
  let at = text.indexOf("\r\n\r\n") + 4;
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at);
    const length = Number.parseInt(text.slice(at, lineEnd), 16);
    if (!(length > 0)) return body;
    body += text.slice(lineEnd + 2, lineEnd + 2 + length);
    at = lineEnd + 2 + length + 2;
  }
}

/** `count` turns with a conversation of `bytes` bytes, on two connections. */
export async function turnLoad(
  target: Target,
  bytes: number,
  count: number,
): Promise<{ readonly failed: number }> {
  const body = conversationBody(bytes);
  const requests = [1, 2].map((session) =>
    Buffer.from(requestOf(target, session, { body }))
  );
  let left = count;
  let failed = 0;
  await Promise.all(requests.map(async (request) => {
    const connection = await open(target.port);
    try {
      while (left-- > 0) await exchange(connection, request);
    } catch {
      failed++;
    } finally {
      close(connection);
    }
  }));
  return { failed };
}

/** Sends a request and reads its JSON answer. */
async function exchange(
  connection: Deno.TcpConn,
  request: Uint8Array,
): Promise<void> {
  const bytes = Buffer.alloc(65_536);
  await writeAll(connection, request);
  let text = "";
  while (!text.includes('"usage"')) {
    const count = await connection.read(bytes);
    if (count === null) throw new Error("closed");
    text += bytes.toString("latin1", 0, count);
  }
  if (!text.startsWith("HTTP/1.1 200")) throw new Error(text.slice(0, 200));
}

/** Bodies of 1 MB on 8 connections; MB a second. */
export async function uploadLoad(
  target: Target,
  durationMs: number,
): Promise<{ readonly mbPerSec: number; readonly failed: number }> {
  const request = Buffer.from(requestOf(target, 1, { bytes: 1_000_000 }));
  const endMs = performance.now() + durationMs;
  const startedMs = performance.now();
  let sent = 0;
  let failed = 0;
  await Promise.all(Array.from({ length: 8 }, async () => {
    const connection = await open(target.port);
    try {
      while (performance.now() < endMs) {
        await exchange(connection, request);
        sent++;
      }
    } catch {
      failed++;
    } finally {
      close(connection);
    }
  }));
  const seconds = (performance.now() - startedMs) / SECOND_MS;
  return { mbPerSec: sent / seconds, failed };
}

async function open(port: number): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  connection.setNoDelay(true);
  return connection;
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // It was closed for being late.
  }
}

async function writeAll(to: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

function percentile(values: number[], part: number): number {
  values.sort((a, b) => a - b);
  const at = Math.min(
    values.length - 1,
    Math.floor(values.length * part / 100),
  );
  return values[at] ?? NaN;
}
