/** Programs of the system, found whatever the PATH says. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { commandRunner } from "../../src/system/command_runner.ts";
import {
  programVariables,
  systemProgram,
} from "../../src/system/system_programs.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { needs } from "../fixtures/skipped.ts";

for (
  const [system, name, environment, path] of [
    ["darwin", "ioreg", {}, "/usr/sbin/ioreg"],
    ["darwin", "security", { PATH: "/opt" }, "/usr/bin/security"],
    ["darwin", "launchctl", {}, "/bin/launchctl"],
    ["windows", "reg", {}, "C:\\Windows\\System32\\reg.exe"],
    [
      "windows",
      "reg",
      { SystemRoot: "D:\\WinNT" },
      "D:\\WinNT\\System32\\reg.exe",
    ],
    [
      "windows",
      "powershell.exe",
      {},
      "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
    ],
    ["linux", "ioreg", {}, "ioreg"],
    ["linux", "secret-tool", {}, "secret-tool"],
    ["windows", "claude", {}, "claude"],
  ] as const
) {
  Deno.test(`systemProgram() on ${system} finds ${name} at ${path}`, () => {
    strictEqual(systemProgram(name, system, environment), path);
  });
}

Deno.test("Windows PowerShell gets no PSModulePath of another one; the rest gets all", () => {
  const environment = { PSModulePath: "C:\\pwsh7", Path: "C:\\" };
  const clean = { Path: "C:\\" };
  deepStrictEqual(
    programVariables("powershell.exe", "windows", environment),
    clean,
  );
  deepStrictEqual(programVariables("reg", "windows", environment), environment);
  deepStrictEqual(
    programVariables("powershell.exe", "linux", environment),
    environment,
  );
});

Deno.test({
  name: "a program that is not at its usual place is found on the PATH",
  // A script is no program of Windows.
  ignore: needs("scripts"),
  fn: async () => {
    await using folder = new TempFolder();
    await Deno.writeTextFile(
      folder.join("reg"),
      "#!/bin/sh\necho found $1; exit 3\n",
      { mode: 0o755 },
    );
    const runner = commandRunner({
      system: "windows",
      environment: () => ({ PATH: `${folder.path}:/usr/bin:/bin` }),
    });
    const options = { stdin: "", timeoutMs: 10_000 };
    deepStrictEqual(await runner.run("reg", ["it"], options), {
      kind: "exited",
      code: 3,
      stdout: "found it\n",
      stderr: "",
    });
    deepStrictEqual(await runner.run("conhost", [], options), {
      kind: "missing",
    });
  },
});

Deno.test({
  name:
    "a program's output ends with it, though one that it started holds the pipe",
  ignore: needs("scripts"),
  fn: async () => {
    const runner = commandRunner({
      system: "linux",
      environment: () => ({ PATH: "/usr/bin:/bin" }),
    });
    const startMs = performance.now();
    const outcome = await runner.run(
      "sh",
      ["-c", "sleep 30 & echo said; exit 4"],
      { stdin: "", timeoutMs: 20_000 },
    );
    deepStrictEqual(outcome, {
      kind: "exited",
      code: 4,
      stdout: "said\n",
      stderr: "",
    });
    strictEqual(performance.now() - startMs < 10_000, true);
    const late = await runner.run("sh", ["-c", "sleep 30 & wait"], {
      stdin: "",
      timeoutMs: 200,
    });
    deepStrictEqual(late, { kind: "timed_out" });
  },
});
