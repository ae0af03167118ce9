/** Answers that cost much to meter. */

import { ok, strictEqual } from "node:assert/strict";
import zlib from "node:zlib";
import { plainCopy } from "../../src/http/inflate.ts";
import { type MeterReading, UsageMeter } from "../../src/wire/answer/usage.ts";

const START = 'event: message_start\ndata: {"type":"message_start","message":' +
  '{"id":"msg_1","model":"m","usage":{"input_tokens":7,"output_tokens":1}}}\n\n';

/** Meters a gzipped stream, as the relay of an answer does. */
function gzipMeter(): {
  push(chunk: Uint8Array): void;
  finish(): Promise<MeterReading>;
} {
  const meter = new UsageMeter("text/event-stream");
  const copy = plainCopy("gzip", (bytes) => meter.push(bytes));
  return {
    push: (chunk) => copy.push(chunk),
    finish: async () => {
      await copy.finish();
      return meter.finish();
    },
  };
}

/** A gzipped stream that begins as an answer and goes on for `mebibytes`. */
function bomb(mebibytes: number): Uint8Array {
  const line = "data: " + "x".repeat(122) + "\n";
  const block = zlib.gzipSync(line.repeat(8 * 1024));
  const parts = [zlib.gzipSync(START)];
  for (let count = 0; count < mebibytes; count++) parts.push(block);
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

Deno.test("metering an answer that inflates to 512 MB costs next to nothing", async () => {
  const bytes = bomb(512);
  ok(bytes.length < 3_000_000, `${bytes.length}`);
  const tap = gzipMeter();
  const startedMs = performance.now();
  for (let at = 0; at < bytes.length; at += 16_384) {
    tap.push(bytes.subarray(at, at + 16_384));
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const { usage, isComplete } = await tap.finish();
  const tookMs = performance.now() - startedMs;
  ok(tookMs < 1_500, `${tookMs} ms`);
  strictEqual(usage?.input, 7);
  strictEqual(isComplete, false);
});

Deno.test("a long answer that compresses well is metered to its end", async () => {
  const delta = 'event: content_block_delta\ndata: {"type":' +
    '"content_block_delta","index":0,"delta":{"type":"text_delta","text":';
  const text = Array.from(
    { length: 60_000 },
    (_, at) => `${delta}"word ${at}"}}\n\n`,
  ).join("");
  const end = 'event: message_delta\ndata: {"type":"message_delta","usage":' +
    '{"output_tokens":60000}}\n\nevent: message_stop\ndata: ' +
    '{"type":"message_stop"}\n\n';
  const bytes = zlib.gzipSync(START + text + end);
  const tap = gzipMeter();
  tap.push(bytes);
  const { usage, isComplete } = await tap.finish();
  strictEqual(usage?.output, 60_000);
  strictEqual(isComplete, true);
});
