/** The command that outlives the folder of one version, on each system. */

import { strictEqual } from "node:assert/strict";
import { linkTo } from "../../src/system/own_command.ts";
import { canLinkFiles } from "../fixtures/file_abilities.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

Deno.test({
  name: "linkTo() reads the PATH as each system writes it",
  ignore: !await canLinkFiles(),
  async fn() {
    await using folder = new TempFolder();
    const program = folder.join("tc-1.2.3");
    await Deno.writeTextFile(program, "");
    for (const name of ["unix", "windows"]) await Deno.mkdir(folder.join(name));
    await Deno.symlink(program, folder.join("unix", "tc"), { type: "file" });
    await Deno.symlink(program, folder.join("windows", "tc.exe"), {
      type: "file",
    });
    const folders = ["none", "relative", "windows", "unix"]
      .map((name) => name === "relative" ? name : folder.join(name));
    for (const system of ["linux", "darwin"]) {
      strictEqual(
        linkTo(program, folders.join(":"), system),
        folder.join("unix", "tc"),
      );
      strictEqual(linkTo(program, folders.join(";"), system), null);
    }
    strictEqual(
      linkTo(program, folders.join(";"), "windows"),
      folder.join("windows", "tc.exe"),
    );
  },
});
