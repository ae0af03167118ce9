/** Requests out of a connection's bytes, however those are cut. */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import {
  ConnectionBody,
  nextHead,
  RequestHeaders,
} from "../../src/http/request.ts";
import { ClientConnection } from "../../src/http/client_connection.ts";
import { ProtocolError } from "../../src/http/head.ts";
import { trials } from "../fixtures/trials.ts";

/** A connection whose reads give `pieces`, one each, and then the end. */
function connectionOf(pieces: readonly string[]): ClientConnection {
  const waiting = pieces.filter((piece) => piece !== "")
    .map((piece) => Buffer.from(piece, "latin1"));
  const stream = {
    read(room: Uint8Array): Promise<number | null> {
      const [piece] = waiting;
      if (piece === undefined) return Promise.resolve(null);
      const count = Math.min(room.length, piece.length);
      room.set(piece.subarray(0, count));
      if (count === piece.length) waiting.shift();
      else waiting[0] = piece.subarray(count);
      return Promise.resolve(count);
    },
    write: (bytes: Uint8Array) => Promise.resolve(bytes.length),
    close: () => {},
  };
  return new ClientConnection(stream as unknown as Deno.Conn);
}

interface Told {
  readonly method: string;
  readonly target: string;
  readonly body: string;
  readonly odd: string | null;
}

/** All requests on the connection, in the order they came. */
async function requestsIn(client: ClientConnection): Promise<Told[]> {
  const told: Told[] = [];
  for (;;) {
    const head = await nextHead(client, () => {});
    if (head === null) return told;
    let isEnded = false;
    const body = new ConnectionBody(client, head.bodyEnd, {
      isAwaited: false,
      // As the listener does: from here on it reads ahead.
      onEnd: () => {
        isEnded = true;
        client.watch(() => {});
      },
    });
    let text = "";
    for (;;) {
      const chunk = await body.read();
      if (chunk === null) break;
      text += Buffer.from(chunk).toString("latin1");
    }
    strictEqual(isEnded && body.isDone, true);
    const { method, target } = head;
    const odd = new RequestHeaders(head.headers).get("x-odd");
    told.push({ method, target, body: text, odd });
  }
}

const REQUEST = fc.record({
  method: fc.constantFrom("POST", "GET", "PUT"),
  target: fc.constantFrom("/", "/v1/messages?beta=true", "/k/x/v1/%20"),
  body: fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.constantFrom("x".repeat(70_000), "GET / HTTP/1.1\r\n\r\n"),
  ).map((text) => Buffer.from(text).toString("latin1")),
  odd: fc.constantFrom(null, "", "a, b", "\xe9\xff"),
}, { noNullPrototype: true });

function wireOf({ method, target, body, odd }: Told, isChunked: boolean) {
  const line = odd === null ? "" : `X-Odd:\t${odd} \r\n`;
  const head = `${method} ${target} HTTP/1.1\r\nhost: h\r\n${line}`;
  if (!isChunked) return `${head}content-length: ${body.length}\r\n\r\n${body}`;
  const half = body.length >> 1;
  const chunks = [body.slice(0, half), body.slice(half)]
    .filter((chunk) => chunk !== "")
    .map((chunk) => `${chunk.length.toString(16)};x=y\r\n${chunk}\r\n`);
  return `${head}transfer-encoding: chunked\r\n\r\n${chunks.join("")}0\r\n\r\n`;
}

Deno.test("requests are the same however their bytes are cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(REQUEST, fc.boolean()), { maxLength: 5 }),
      fc.array(fc.nat(400), { maxLength: 60 }),
      async (requests, lengths) => {
        let wire = requests.map(([told, isChunked]) => wireOf(told, isChunked))
          .join("");
        const pieces = lengths.map((length) => {
          const piece = wire.slice(0, length);
          wire = wire.slice(length);
          return piece;
        });
        const client = connectionOf([...pieces, wire]);
        deepStrictEqual(
          await requestsIn(client),
          requests.map(([told]) => told),
        );
      },
    ),
    { numRuns: trials(300, 20_000) },
  );
});

Deno.test("an incomplete request is refused", async () => {
  const told = { method: "POST", target: "/", body: "{}{}", odd: "1" };
  for (const isChunked of [false, true]) {
    const wire = wireOf(told, isChunked);
    for (let length = 1; length < wire.length; length++) {
      const client = connectionOf([wire.slice(0, length)]);
      await rejects(requestsIn(client), ProtocolError, `${length} bytes`);
    }
  }
});

Deno.test("RequestHeaders looks up joined values and keeps the lines as sent", () => {
  const headers = new RequestHeaders([
    ["Anthropic-Beta", "a"],
    ["Cookie", "x=1"],
    ["anthropic-beta", "b"],
    ["cookie", "y=2"],
  ]);
  deepStrictEqual(headers.list, [
    ["Anthropic-Beta", "a"],
    ["Cookie", "x=1"],
    ["anthropic-beta", "b"],
    ["cookie", "y=2"],
  ]);
  strictEqual(headers.get("cookie"), "x=1; y=2");
  strictEqual(headers.get("anthropic-beta"), "a, b");
  strictEqual(headers.has("accept"), false);
});

Deno.test("a body that is announced and does not come costs almost no memory", async () => {
  const head = "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 33554432\r\n\r\n";
  const client = connectionOf([`${head}abc`]);
  client.trust();
  const arrived = await nextHead(client, () => {});
  const body = new ConnectionBody(
    client,
    arrived?.bodyEnd ?? { kind: "none" },
    {
      isAwaited: false,
      onEnd: () => {},
    },
  );
  strictEqual((await body.read())?.length, 3);
  await rejects(body.read(), ProtocolError);
  ok(client.heldBytes <= 16 * 1024, `${client.heldBytes}`);
});
