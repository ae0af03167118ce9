import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { SummaryMemory } from "../../src/proxy/conversation.ts";
import { conversationId } from "../fixtures/pool.ts";

const LONG = conversationId("long");

/** What each of `turns` is taken for, by the summary that it begins with. */
function judged(
  memory: SummaryMemory,
  turns: readonly (string | null)[],
): readonly boolean[] {
  return turns.map((compactionDigest) =>
    memory.isNew(LONG, { compactionDigest, isSide: false })
  );
}

Deno.test("isNew() sees each compaction once", () => {
  deepStrictEqual(
    judged(new SummaryMemory(), [null, null, "a", "a", "b", "b"]),
    [false, false, true, false, true, false],
  );
});

Deno.test("isNew() takes no old summary for a new one after a restart", () => {
  deepStrictEqual(judged(new SummaryMemory(), ["a", "a", "b"]), [
    false,
    false,
    true,
  ]);
});

Deno.test("isNew() learns nothing from side requests", () => {
  const memory = new SummaryMemory();
  const side = { compactionDigest: null, isSide: true };
  strictEqual(memory.isNew(LONG, side), false);
  deepStrictEqual(judged(memory, ["a"]), [false]);
  strictEqual(memory.isNew(LONG, side), false);
  deepStrictEqual(judged(memory, ["a", "b"]), [false, true]);
});
