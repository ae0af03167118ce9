/** Files that another program holds for a moment, on each system. */

import {
  deepStrictEqual,
  rejects,
  strictEqual,
  throws,
} from "node:assert/strict";
import {
  pastHolders,
  pastHoldersNow,
} from "../../src/store/files/held_file.ts";

/** What Deno throws on Windows, seen with a file that another program holds. */
const REFUSALS = [
  new Deno.errors.PermissionDenied("Access denied. (os error 5)"),
  Object.assign(new Error("Sharing violation. (os error 32)"), {
    code: "EBUSY",
  }),
  Object.assign(new Error("Lock violation. (os error 33)"), { code: "EBUSY" }),
];

/** Fails so many times, then returns how often it was called. */
function failing(times: number, refusal: Error): () => number {
  let calls = 0;
  return () => {
    if (++calls <= times) throw refusal;
    return calls;
  };
}

for (const system of ["linux", "darwin", "windows"]) {
  for (const refusal of REFUSALS) {
    Deno.test(`${system}: ${refusal.message} for 400 ms`, async () => {
      const act = failing(5, refusal);
      const now = failing(5, refusal);
      if (system === "windows") {
        strictEqual(await pastHolders(act, { system }), 6);
        strictEqual(pastHoldersNow(now, { system }), 6);
      } else {
        await rejects(pastHolders(act, { system }), refusal);
        throws(() => pastHoldersNow(now, { system }), refusal);
      }
    });
  }
}

Deno.test("a file that is held for good is told after the time, and another fault at once", async () => {
  const [held] = REFUSALS;
  const options = { system: "windows", msMax: 50 };
  await rejects(pastHolders(failing(1e9, held as Error), options), held);
  const gone = new Deno.errors.NotFound("gone");
  let calls = 0;
  await rejects(
    pastHolders(() => {
      calls++;
      throw gone;
    }, { system: "windows" }),
    gone,
  );
  deepStrictEqual(calls, 1);
});
