/** What each system says, and what tc says by it. */

import { strictEqual } from "node:assert/strict";
import { isNameFault } from "../../src/cli/doctor/network.ts";
import { isReaderGone } from "../../src/cli/print.ts";
import { pathsFrom, workerFolders } from "../../src/system/paths.ts";

Deno.test("a name without an address is called so on every system", () => {
  for (
    const reason of [
      "failed to lookup address information: Name or service not known",
      "nodename nor servname provided, or not known",
      "No such host is known. (os error 11001)",
      "host not found (os error 11004)",
    ]
  ) strictEqual(isNameFault(reason), true, reason);
  strictEqual(isNameFault("Connection refused (os error 10061)"), false);
});

Deno.test("a pipe that nobody reads is no fault, on every system", () => {
  const errors = [
    new Deno.errors.BrokenPipe("Broken pipe (os error 32)"),
    new Error("The pipe has been ended. (os error 109)"),
    new Error("The pipe is being closed. (os error 232)"),
    new Error("No process is on the other end of the pipe. (os error 233)"),
    Object.assign(new Error("Input/output error"), { code: "EIO" }),
  ];
  for (const error of errors) strictEqual(isReaderGone(error), true);
  strictEqual(isReaderGone(new Error("disk full (os error 112)")), false);
  strictEqual(isReaderGone(new Error("shared (os error 32)")), false);
});

Deno.test("secrets of Windows do not roam, and the worker's folders hold no key", () => {
  const environment = {
    USERPROFILE: "C:\\Users\\ada",
    APPDATA: "C:\\Users\\ada\\AppData\\Roaming",
    LOCALAPPDATA: "C:\\Users\\ada\\AppData\\Local",
  };
  const paths = pathsFrom(environment, "windows");
  const { secretsFolder, vaultKeyFile, configFile } = paths;
  for (const path of [secretsFolder, vaultKeyFile]) {
    strictEqual(path.startsWith(environment.LOCALAPPDATA), true, path);
  }
  strictEqual(configFile.startsWith(environment.APPDATA), true);
  for (const folder of workerFolders(paths)) {
    strictEqual(vaultKeyFile.startsWith(folder), false, folder);
  }
});
