/** How often the client's files are searched for the project of a session. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import "../fixtures/clean_environment.ts";
import { ProjectBook } from "../../src/records/projects.ts";

Deno.test("a session that no file names is looked for twice a minute, for as long as it asks", async () => {
  let nowMs = 0;
  const asked: number[] = [];
  const book = new ProjectBook({
    stateFolder: "/none",
    look: () => {
      asked.push(nowMs);
      return Promise.resolve(null);
    },
    nowMs: () => nowMs,
  });
  // A request a second, for two minutes.
  for (; nowMs <= 120_000; nowMs += 1_000) {
    strictEqual(await book.find("a"), null);
  }
  deepStrictEqual(asked, [0, 30_000, 60_000, 90_000, 120_000]);
});

Deno.test("a name that a launch gives while the files are searched stays", async () => {
  const searched = Promise.withResolvers<null>();
  const book = new ProjectBook({
    stateFolder: "/none",
    look: () => searched.promise,
    nowMs: () => 0,
  });
  const finding = book.find("a");
  book.note("a", "shop");
  searched.resolve(null);
  strictEqual(await finding, "shop");
  strictEqual(book.of(null, "a"), "shop");
});
