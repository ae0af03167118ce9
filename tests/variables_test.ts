/** Variables of the environment, on every system. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { claudeFolder } from "../src/claude/claude_folder.ts";
import { pathsFrom } from "../src/system/paths.ts";
import { homeIn, variablesOf } from "../src/variables.ts";

const BOTH = {
  HOME: "H:\\company",
  USERPROFILE: "C:\\Users\\ada",
} as const;

for (
  const [system, environment, home] of [
    ["linux", { HOME: "/home/ada", USERPROFILE: "/other" }, "/home/ada"],
    ["darwin", { HOME: "/Users/ada", USERPROFILE: "/other" }, "/Users/ada"],
    ["windows", BOTH, "C:\\Users\\ada"],
    ["windows", { HOME: "C:\\Users\\ada" }, "C:\\Users\\ada"],
    ["linux", { USERPROFILE: "/home/ada" }, "/home/ada"],
    ["windows", {}, undefined],
  ] as const
) {
  Deno.test(`homeIn() on ${system} with ${Object.keys(environment)} is ${home}`, () => {
    strictEqual(homeIn(environment, system), home);
  });
}

Deno.test("on Windows Claude Code's folder and tc's are in USERPROFILE, whatever HOME says", () => {
  const facts = { environment: BOTH, system: "windows", userName: "ada" };
  const { folder } = claudeFolder(facts);
  strictEqual(folder.replaceAll("/", "\\"), "C:\\Users\\ada\\.claude");
  const { configFile } = pathsFrom(BOTH, "windows");
  strictEqual(configFile.startsWith("C:\\Users\\ada"), true, configFile);
});

Deno.test("variablesOf() folds the names on Windows alone", () => {
  const environment = { Path: "a", SystemRoot: "b" };
  deepStrictEqual(variablesOf(environment, "windows"), {
    PATH: "a",
    SYSTEMROOT: "b",
  });
  for (const system of ["linux", "darwin"]) {
    deepStrictEqual(variablesOf(environment, system), environment);
  }
});
