/** How Claude Code from npm is found and started, on each system. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { findProgram, startsTcRun } from "../../src/claude/launch.ts";
import { type ShimFiles, withoutShim } from "../../src/claude/npm_shim.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

/** As npm 11 writes it (cmd-shim 7) for a program and for a script. */
const HEAD = "@ECHO off\r\nGOTO start\r\n:find_dp0\r\nSET dp0=%~dp0\r\n" +
  "EXIT /b\r\n:start\r\nSETLOCAL\r\nCALL :find_dp0\r\n";
const OF_PROGRAM = HEAD +
  '"%dp0%\\node_modules\\@anthropic-ai\\claude-code\\bin\\claude.exe"   %*\r\n';
const OF_SCRIPT = HEAD + '\r\nIF EXIST "%dp0%\\node.exe" (\r\n' +
  '  SET "_prog=%dp0%\\node.exe"\r\n) ELSE (\r\n  SET "_prog=node"\r\n' +
  "  SET PATHEXT=%PATHEXT:;.JS;=;%\r\n)\r\n\r\nendLocal & goto #_undefined_# " +
  '2>NUL || title %COMSPEC% & "%_prog%"  ' +
  '"%dp0%\\node_modules\\@anthropic-ai\\claude-code\\cli.js" %*\r\n';
/** As pnpm writes it. */
const OF_PNPM = '@SETLOCAL\r\n@IF EXIST "%~dp0\\node.exe" (\r\n' +
  '  "%~dp0\\node.exe"  "%~dp0\\global\\claude-code\\cli.js" %*\r\n) ELSE (\r\n' +
  '  node  "%~dp0\\global\\claude-code\\cli.js" %*\r\n)\r\n';

const FOLDER = "C:\\Users\\ada\\npm";
const SHIM = `${FOLDER}\\claude.cmd`;
const PACKAGE = `${FOLDER}\\node_modules\\@anthropic-ai\\claude-code`;
const NODE = "C:\\Program Files\\nodejs\\node.exe";

function files(text: string, there: readonly string[]): ShimFiles {
  return {
    read: (path) => path === SHIM ? text : null,
    isFile: (path) => there.includes(path),
    findNode: () => NODE,
  };
}

const EXE = `${PACKAGE}\\bin\\claude.exe`;
const SCRIPT = `${PACKAGE}\\cli.js`;
const PNPM_SCRIPT = `${FOLDER}\\global\\claude-code\\cli.js`;
const BESIDE = `${FOLDER}\\node.exe`;

for (
  const [what, text, there, command] of [
    ["a program", OF_PROGRAM, [EXE], [EXE]],
    ["a program that is gone", OF_PROGRAM, [], [SHIM]],
    ["a script", OF_SCRIPT, [SCRIPT], [NODE, SCRIPT]],
    ["a script with its node", OF_SCRIPT, [SCRIPT, BESIDE], [BESIDE, SCRIPT]],
    ["a script of pnpm", OF_PNPM, [PNPM_SCRIPT], [NODE, PNPM_SCRIPT]],
    ["a file of a person's own", "@claude.exe --verbose %*\r\n", [], [SHIM]],
  ] as const
) {
  Deno.test(`withoutShim() of ${what}`, () => {
    const found = files(text, there);
    deepStrictEqual(withoutShim(SHIM, "windows", found), command);
    for (const system of ["linux", "darwin"]) {
      deepStrictEqual(withoutShim(SHIM, system, found), [SHIM]);
    }
  });
}

Deno.test("findProgram() takes what the system starts, a program before a command file", async () => {
  await using folder = new TempFolder();
  const search = { path: folder.path, extensions: ".COM;.EXE;.BAT;.CMD;.JS" };
  const found = (system: string, extensions = search.extensions) =>
    findProgram("claude", { ...search, extensions, system })
      ?.replace(/^.*[\\/]/, "") ?? null;
  // npm puts all of these there; the first is a shell script.
  for (const name of ["claude", "claude.ps1", "claude.js"]) {
    await Deno.writeTextFile(folder.join(name), "#!/bin/sh\n", { mode: 0o755 });
  }
  strictEqual(found("windows"), null);
  await Deno.writeTextFile(folder.join("claude.cmd"), "@rem\r\n");
  strictEqual(found("windows"), "claude.cmd");
  await Deno.writeTextFile(folder.join("claude.exe"), "MZ");
  strictEqual(found("windows"), "claude.exe");
  // Cron and services of Windows have no PATHEXT.
  strictEqual(found("windows", ""), "claude.exe");
  strictEqual(found("windows", ".CMD"), "claude.cmd");
  if (Deno.build.os === "windows") return;
  for (const system of ["linux", "darwin"]) {
    strictEqual(found(system), "claude");
  }
});

Deno.test("startsTcRun() knows a command file that leads back to tc run", async () => {
  await using folder = new TempFolder();
  for (
    const [name, text, isOurs] of [
      ["a.cmd", '@"C:\\bin\\tc.exe" run -- %*\r\n', true],
      ["b.cmd", "@tc run -- %*\r\n", true],
      ["c.bat", "@claude.exe %*\r\n", false],
      ["d.txt", "tc run\n", false],
    ] as const
  ) {
    await Deno.writeTextFile(folder.join(name), text);
    strictEqual(startsTcRun(folder.join(name)), isOurs, name);
  }
});
