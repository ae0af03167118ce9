/** The scripted origin: bytes as told, and what it saw. */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { answerBytes } from "../fixtures/origin_answer.ts";
import {
  type ScriptedOrigin,
  startScriptedOrigin,
} from "../fixtures/scripted_origin.ts";

/** Sends raw bytes; what came back until the end, or until `limitMs`. */
async function raw(
  origin: ScriptedOrigin,
  message: string,
  limitMs = 2_000,
): Promise<string> {
  const connection = await Deno.connect({
    port: origin.port,
    hostname: "127.0.0.1",
  });
  const timer = setTimeout(() => connection.close(), limitMs);
  let text = "";
  try {
    await connection.write(new TextEncoder().encode(message));
    const chunk = new Uint8Array(65_536);
    for (;;) {
      const length = await connection.read(chunk);
      if (length === null) break;
      text += new TextDecoder().decode(chunk.subarray(0, length));
    }
    connection.close();
  } catch {
    text += "<stopped>";
  }
  clearTimeout(timer);
  return text;
}

const GET = "GET /x HTTP/1.1\r\nHost: o\r\nConnection: close\r\n\r\n";

Deno.test("it answers as told, and fetch understands it", async () => {
  await using origin = startScriptedOrigin();
  origin.next(
    { status: 201, headers: [["X-One", "1"]], body: "hello" },
    { body: "chunked body", framing: "chunked", writes: [5] },
    { body: "until close", framing: "close" },
    {
      headers: [["content-encoding", "gzip"]],
      body: new Uint8Array(gzipSync("packed")),
    },
  );
  const texts: string[] = [];
  for (let index = 0; index < 5; index++) {
    const response = await fetch(`${origin.url}/a/${index}?q=1`);
    texts.push(`${response.status} ${await response.text()}`);
  }
  deepStrictEqual(texts, [
    "201 hello",
    "200 chunked body",
    "200 until close",
    "200 packed",
    "200 {}",
  ]);
  strictEqual(origin.requests()[1]?.target, "/a/1?q=1");
});

Deno.test("it records the head in order and case, and the body", async () => {
  await using origin = startScriptedOrigin();
  const head = "POST /v1/messages?beta=true HTTP/1.1\r\nZed: 1\r\nhost: o\r\n" +
    "Content-Length: 3\r\nX-ALPHA:  two \r\nConnection: close";
  await raw(origin, `${head}\r\n\r\nabc`);
  const [request] = origin.requests();
  strictEqual(request?.rawHead, head);
  deepStrictEqual(request?.headers[3], ["X-ALPHA", "two"]);
  strictEqual(new TextDecoder().decode(request?.body), "abc");
  strictEqual(
    request?.bodySha256,
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});

Deno.test("it reads chunked bodies, keep-alive and pipelined requests", async () => {
  await using origin = startScriptedOrigin();
  origin.always((request) => ({ body: `saw ${request.body.length}` }));
  const chunked =
    "POST / HTTP/1.1\r\nHost: o\r\nTransfer-Encoding: chunked\r\n\r\n" +
    "3\r\nabc\r\n2;x=1\r\nde\r\n0\r\nT: 1\r\n\r\n";
  const text = await raw(origin, chunked + GET);
  deepStrictEqual(text.match(/saw \d/g), ["saw 5", "saw 0"]);
  deepStrictEqual(origin.requests().map((each) => each.connection), [0, 0]);
  strictEqual(origin.connections, 1);
});

Deno.test("it cuts after every byte of an answer, exactly there", async () => {
  await using origin = startScriptedOrigin();
  const answer = { body: "0123456789" };
  const whole = new TextDecoder().decode(answerBytes(answer));
  for (let cutAt = 0; cutAt <= whole.length; cutAt++) {
    origin.next({ ...answer, cutAt });
    strictEqual(await raw(origin, GET), whole.slice(0, cutAt));
  }
  ok(origin.requests().every((request) => request.closedBy === "origin"));
});

Deno.test("it sends garbage, and fetch refuses it", async () => {
  await using origin = startScriptedOrigin();
  for (
    const bytes of ["HTTP/9 what\r\n\r\n", "\0\0\0\0", "HTTP/1.1 200 OK\r\nbad"]
  ) {
    origin.next({ raw: bytes, cutAt: bytes.length });
    await rejects(fetch(origin.url));
  }
});

Deno.test("it stalls until the client goes, and says when that was", async () => {
  await using origin = startScriptedOrigin();
  origin.next({ body: "hello", stallAt: 30 });
  const text = await raw(origin, GET, 80);
  strictEqual(text.length, "<stopped>".length + 30);
  while (origin.openConnections > 0) {
    await new Promise((wake) => setTimeout(wake, 1));
  }
  const [request] = origin.requests();
  strictEqual(request?.closedBy, "client");
  strictEqual(request?.writtenBytes, 30);
  ok((request?.closedAtMs ?? 0) - (request?.arrivedAtMs ?? 0) >= 70);
});

Deno.test("it writes in the sizes and with the pauses that it is told", async () => {
  await using origin = startScriptedOrigin();
  origin.next({
    body: "x".repeat(40),
    writes: [10, 30],
    pauseMs: 10,
    delayMs: 20,
  });
  const startedMs = performance.now();
  const text = await raw(origin, GET);
  ok(text.endsWith("x".repeat(40)));
  ok(performance.now() - startedMs >= 45);
});

Deno.test("it can answer before it has read the body", async () => {
  await using origin = startScriptedOrigin();
  origin.next({ status: 413, body: "no", isEarly: true });
  const text = await raw(
    origin,
    "POST / HTTP/1.1\r\nHost: o\r\nContent-Length: 1000000\r\n\r\nabc",
  );
  ok(text.startsWith("HTTP/1.1 413"));
  strictEqual(origin.requests()[0]?.bodySha256, "");
});

Deno.test("it reads a large body whole", async () => {
  await using origin = startScriptedOrigin();
  origin.always((request) => ({ body: String(request.body.length) }));
  const body = new Uint8Array(20 * 1024 * 1024);
  const response = await fetch(origin.url, { method: "POST", body });
  strictEqual(await response.text(), String(body.length));
});
