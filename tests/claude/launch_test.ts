/** How the client is run in the place of this process. */

import "../fixtures/clean_environment.ts";
import { strictEqual } from "node:assert/strict";
import { runInPlace } from "../../src/claude/launch.ts";
import { needs } from "../fixtures/skipped.ts";
import type { System } from "../../src/variables.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

Deno.test("runInPlace() ends with the client's own code on every system", async () => {
  const variables = Deno.env.toObject();
  for (const code of [0, 7, 255]) {
    strictEqual(
      await runInPlace(
        Deno.execPath(),
        ["eval", `Deno.exit(${code})`],
        variables,
        Deno.build.os,
      ),
      code,
    );
  }
});

Deno.test({
  name: "runInPlace() ends with the client's own code, also after any signal",
  ignore: needs("signals"),
  async fn() {
    const run = (script: string) =>
      runInPlace(
        "/bin/sh",
        ["-c", script],
        { PATH: "/usr/bin:/bin" },
        Deno.build.os,
      );
    strictEqual(await run("exit 7"), 7);
    strictEqual(await run("kill -TERM $$"), 143);
    strictEqual(await run("kill -ABRT $$"), 134);
    strictEqual(await run("kill -SEGV $$"), 139);
  },
});

Deno.test("runInPlace() refuses a program of another system, by its first bytes", async () => {
  await using folder = new TempFolder();
  const refused = async (name: string, bytes: string, system: System) => {
    const path = folder.join(name);
    await Deno.writeFile(
      path,
      Uint8Array.from(bytes, (character) => character.charCodeAt(0)),
      { mode: 0o755 },
    );
    const reason = await runInPlace(path, [], {}, system).then(
      () => "it ran",
      (cause) => String(cause?.cause?.message ?? cause),
    );
    return reason.includes("wrong format");
  };
  const elf = `\u007fELF${"\0".repeat(14)}\u00f3\0`;
  const machO = "\u00cf\u00fa\u00ed\u00fe";
  for (
    const [name, bytes, systems] of [
      // A machine that none of them is.
      ["elf", elf, ["linux", "darwin", "windows"]],
      ["pe.exe", "MZ\u0090\0", ["linux", "darwin"]],
      ["mach", machO, ["linux"]],
    ] as const
  ) {
    for (const system of ["linux", "darwin", "windows"] as const) {
      strictEqual(
        await refused(name, bytes, system),
        (systems as readonly string[]).includes(system),
        `${name} on ${system}`,
      );
    }
  }
});
