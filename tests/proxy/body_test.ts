/** Bodies in memory: what they take, and that it is freed. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import "../fixtures/clean_environment.ts";
import type { RequestBody } from "../../src/http/request.ts";
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
