/** Bodies in memory: what they take, and that it is freed. */

import { Buffer } from "node:buffer";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import "../fixtures/clean_environment.ts";
import { ClientConnection } from "../../src/http/client_connection.ts";
import {
  ConnectionBody,
  nextHead,
  type RequestBody,
} from "../../src/http/request.ts";
import { BodyBudget, readBody } from "../../src/proxy/body.ts";

function bodyOf(
  chunks: readonly Uint8Array[],
  statedBytes: number | null,
): RequestBody {
  const left = [...chunks];
  return { statedBytes, read: () => Promise.resolve(left.shift() ?? null) };
}

function pieces(count: number, bytes: number): Uint8Array[] {
  return Array.from(
    { length: count },
    (_, at) => new Uint8Array(bytes).fill(at + 1),
  );
}

for (const isStated of [true, false]) {
  const how = isStated ? "of a stated length" : "in chunks";
  Deno.test(`a long body ${how} is read whole, and freed with its share`, async () => {
    const budget = new BodyBudget({
      bodyBytesMax: 1e7,
      totalBytesMax: 2e7,
      bodyMs: 60_000,
    });
    const chunks = pieces(40, 50_000);
    const share = budget.share();
    const stated = isStated ? 2_000_000 : null;
    const reading = await readBody(bodyOf(chunks, stated), share, budget);
    const bytes = reading.kind === "body" ? reading.bytes : null;
    strictEqual(bytes?.length, 2_000_000);
    chunks.forEach((chunk, at) =>
      deepStrictEqual(bytes?.subarray(at * 50_000, (at + 1) * 50_000), chunk)
    );
    strictEqual(budget.bytes, 2_000_000);
    share[Symbol.dispose]();
    strictEqual(budget.bytes, 0);
    // Its memory is gone, and not only forgotten.
    strictEqual(bytes?.buffer.byteLength, 0);
    budget.deadline.close();
  });
}

Deno.test("the memory of a short body may be shared, and stays", async () => {
  const budget = new BodyBudget({
    bodyBytesMax: 1e7,
    totalBytesMax: 2e7,
    bodyMs: 60_000,
  });
  const share = budget.share();
  const body = bodyOf(pieces(2, 1_000), 2_000);
  const reading = await readBody(body, share, budget);
  share[Symbol.dispose]();
  const bytes = reading.kind === "body" ? reading.bytes : null;
  deepStrictEqual([bytes?.length, bytes?.[0], bytes?.[1_999]], [2_000, 1, 2]);
  budget.deadline.close();
});

/** A client whose bytes come in pieces of these lengths, over and over. */
function clientOf(
  bytes: Uint8Array,
  lengths: readonly number[],
): ClientConnection {
  let at = 0;
  let count = 0;
  const stream = {
    read: (into: Uint8Array): Promise<number | null> => {
      const length = lengths[count++ % lengths.length] ?? 1;
      const piece = bytes.subarray(at, at + Math.min(length, into.length));
      into.set(piece);
      at += piece.length;
      return Promise.resolve(piece.length === 0 ? null : piece.length);
    },
  };
  return new ClientConnection(stream as unknown as Deno.Conn);
}

Deno.test("bodies one after the other are read whole, however their bytes come", async () => {
  const budget = new BodyBudget({
    bodyBytesMax: 1e7,
    totalBytesMax: 2e7,
    bodyMs: 60_000,
  });
  const bodies = fc.array(
    fc.oneof(fc.nat({ max: 9_000 }), fc.nat({ max: 300_000 })),
    { minLength: 1, maxLength: 4 },
  );
  const lengths = fc.array(
    fc.oneof(
      fc.integer({ min: 40, max: 5_000 }),
      fc.integer({ min: 10_000, max: 400_000 }),
    ),
    { minLength: 1, maxLength: 8 },
  );
  await fc.assert(
    fc.asyncProperty(bodies, lengths, async (sizes, pieces) => {
      const sent = sizes.map((size, which) =>
        Buffer.alloc(size, `${which} in the middle of it, `)
      );
      const client = clientOf(
        Buffer.concat(sent.flatMap((body) => [
          Buffer.from(
            `POST / HTTP/1.1\r\nhost: a\r\ncontent-length: ${body.length}\r\n\r\n`,
          ),
          body,
        ])),
        pieces,
      );
      for (const body of sent) {
        const head = await nextHead(client, () => {});
        ok(head !== null);
        const incoming = new ConnectionBody(client, head.bodyEnd, {
          isAwaited: false,
          onEnd: () => {},
        });
        using share = budget.share();
        const reading = await readBody(incoming, share, budget);
        ok(reading.kind === "body");
        strictEqual(Buffer.compare(reading.bytes, body), 0);
        ok(incoming.isDone);
      }
      strictEqual(await nextHead(client, () => {}), null);
    }),
    { numRuns: 200 },
  );
  budget.deadline.close();
});
