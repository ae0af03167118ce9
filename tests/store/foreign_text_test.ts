/** Files of other programs, changed by several processes at once. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { pendingPath } from "../../src/store/files/atomic.ts";
import { ForeignTexts } from "../../src/store/files/foreign_text.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { needs } from "../fixtures/skipped.ts";

const waits: Promise<void>[] = [];

function soon(): Promise<void> {
  const wait = new Promise<void>((wake) => setTimeout(wake, 300));
  waits.push(wait);
  return wait;
}

Deno.test("edit() by two processes at one moment loses neither edit", async () => {
  await using folder = new TempFolder();
  const file = folder.join("settings.json");
  await Deno.writeTextFile(file, '{"theirs":0}');
  const isReady = Promise.withResolvers<void>();
  const isOpened = Promise.withResolvers<void>();
  const isDone = Promise.withResolvers<void>();
  // The first stands right before its rename while the second begins.
  const first = new ForeignTexts(async (step) => {
    if (step !== "synced") return;
    isReady.resolve();
    await Promise.race([isOpened.promise, soon()]);
  });
  const second = new ForeignTexts(async (step) => {
    if (step !== "opened") return;
    isOpened.resolve();
    await Promise.race([isDone.promise, soon()]);
  });
  const edits = [
    first.edit(file, (document) => ({ ...document, first: 1 })),
    isReady.promise.then(() =>
      second.edit(file, (document) => ({ ...document, second: 2 }))
    ),
  ];
  edits[0]?.then(() => isDone.resolve());
  await Promise.all(edits);
  await Promise.all(waits);
  deepStrictEqual(JSON.parse(await Deno.readTextFile(file)), {
    theirs: 0,
    first: 1,
    second: 2,
  });
});

Deno.test("edit() clears what a crash has left beside the file", async () => {
  await using folder = new TempFolder();
  const file = folder.join("settings.json");
  await Deno.writeTextFile(pendingPath(file), "half");
  await Deno.utime(pendingPath(file), 1_000, 1_000);
  await new ForeignTexts().edit(file, () => ({ ours: 1 }));
  const names = await Array.fromAsync(Deno.readDir(folder.path));
  deepStrictEqual(names.map(({ name }) => name), ["settings.json"]);
});

Deno.test({
  name: "edit() leaves a file open to whom it was",
  ignore: needs("modes"),
  fn: async () => {
    await using folder = new TempFolder();
    for (const mode of [0o644, 0o600, 0o664]) {
      const file = folder.join(`${mode.toString(8)}.json`);
      await Deno.writeTextFile(file, "{}");
      await Deno.chmod(file, mode);
      await new ForeignTexts().edit(file, () => ({ ours: 1 }));
      strictEqual(((await Deno.stat(file)).mode ?? 0) & 0o777, mode);
    }
    const fresh = folder.join("fresh.json");
    await new ForeignTexts().edit(fresh, () => ({ ours: 1 }));
    strictEqual(((await Deno.stat(fresh)).mode ?? 0) & 0o777, 0o600);
  },
});
