/**
 * The upstream of the benchmark, a process of its own: as little work for an
 * answer as Deno can do, so that the proxies are the limit.
 */

import { Buffer } from "node:buffer";
import { ANSWER, ANSWER_LINES } from "./request_text.ts";

const HEAD_END = "\r\n\r\n";
const READ_BYTES = 256 * 1024;

/** The lines that the API sends, more or less, without those of the body. */
const LINES = ANSWER_LINES.filter(([name]) => !name.startsWith("content-"))
  .map(([name, value]) => `${name}: ${value}`).join("\r\n");

const JSON_ANSWER = Buffer.from(
  `HTTP/1.1 200 OK\r\n${LINES}\r\ncontent-type: application/json\r\n` +
    `content-length: ${ANSWER.length}${HEAD_END}${ANSWER}`,
);

const STREAM_HEAD = `HTTP/1.1 200 OK\r\n${LINES}\r\n` +
  `content-type: text/event-stream; charset=utf-8\r\n` +
  `transfer-encoding: chunked${HEAD_END}`;

/** Wall time with parts of a millisecond. */
function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

function chunk(text: string): Buffer {
  return Buffer.from(`${text.length.toString(16)}\r\n${text}\r\n`);
}

function event(index: number): Buffer {
  const data = JSON.stringify({
    type: "content_block_delta",
    index: 0,
    delta: { type: "text_delta", text: `word ${index} and some more ` },
    sentAtMs: nowMs(),
  });
  return chunk(`event: content_block_delta\ndata: ${data}\n\n`);
}

async function writeAll(to: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

/** `x-events: 100 20` is a hundred events, 20 ms apart. */
async function stream(to: Deno.Conn, head: string): Promise<void> {
  const [, count, gapMs] = /x-events: (\d+) (\d+)/i.exec(head) ?? [];
  await writeAll(to, Buffer.from(STREAM_HEAD));
  for (let index = 0; index < Number(count); index++) {
    await writeAll(to, event(index));
    await new Promise((resolve) => setTimeout(resolve, Number(gapMs)));
  }
  await writeAll(to, Buffer.from("0\r\n\r\n"));
}

async function serve(connection: Deno.TcpConn): Promise<void> {
  connection.setNoDelay(true);
  const bytes = Buffer.alloc(READ_BYTES);
  for (;;) {
    let length = 0;
    let end = -1;
    while (end < 0) {
      const count = await connection.read(bytes.subarray(length));
      if (count === null) return;
      length += count;
      end = bytes.indexOf(HEAD_END);
      if (end >= length) end = -1;
    }
    const head = bytes.toString("latin1", 0, end);
    const stated = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    let left = stated - (length - end - HEAD_END.length);
    while (left > 0) left -= await connection.read(bytes) ?? Infinity;
    if (/x-events/i.test(head)) await stream(connection, head);
    else await writeAll(connection, JSON_ANSWER);
    bytes.fill(0, 0, Math.min(length, end + HEAD_END.length));
  }
}

if (import.meta.main) {
  const listener = Deno.listen({
    hostname: "127.0.0.1",
    port: 0,
    tcpBacklog: 4_096,
  });
  await Deno.stdout.write(Buffer.from(`${listener.addr.port}\n`));
  for await (const connection of listener) {
    serve(connection)
      .catch(() => {
        // The proxy has closed it.
      })
      .finally(() => connection.close());
  }
}
