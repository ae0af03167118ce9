/** Modes of files, on systems with and without them. */

import { strictEqual, throws } from "node:assert/strict";
import {
  grants,
  isSameFile,
  setMode,
} from "../../src/store/files/file_modes.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

Deno.test("grants() looks at modes where there are modes", () => {
  for (const system of ["linux", "darwin"] as const) {
    strictEqual(grants(0o100644, 0o077, system), true);
    strictEqual(grants(0o100600, 0o077, system), false);
    strictEqual(grants(null, 0o077, system), false);
  }
  // It makes up 666 for every file that can be written.
  strictEqual(grants(0o100666, 0o077, "windows"), false);
});

Deno.test("setMode() changes nothing on Windows, and fails for no file elsewhere", async () => {
  await using folder = new TempFolder();
  setMode(folder.join("none"), 0o600, "windows");
  if (Deno.build.os === "windows") return;
  const path = folder.join("file");
  await Deno.writeTextFile(path, "", { mode: 0o644 });
  setMode(path, 0o600, "windows");
  strictEqual(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o644);
  for (const system of ["linux", "darwin"] as const) {
    setMode(path, 0o100640, system);
    strictEqual(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o640);
    throws(() => setMode(folder.join("none"), 0o600, system));
  }
});

Deno.test("isSameFile() finds a file that took the place of an open one", async () => {
  await using folder = new TempFolder();
  const path = folder.join("file");
  await Deno.writeTextFile(path, "mine");
  using file = await Deno.open(path);
  const opened = await file.stat();
  strictEqual(isSameFile(opened, await Deno.lstat(path)), true);
  // Windows gives no numbers to compare, and lets nobody replace an open file.
  strictEqual(isSameFile(opened, null, "windows"), true);
  if (Deno.build.os === "windows") return;
  await Deno.rename(path, folder.join("old"));
  await Deno.symlink(folder.join("old"), path);
  for (const system of ["linux", "darwin"] as const) {
    strictEqual(isSameFile(opened, null, system), false);
    strictEqual(isSameFile(opened, await Deno.lstat(path), system), false);
  }
});
