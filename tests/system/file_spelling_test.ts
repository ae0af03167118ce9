/** A config file that is spelled in another case is the same file, where it is. */

import "../fixtures/clean_environment.ts";
import { notStrictEqual, strictEqual } from "node:assert/strict";
import { oneSpelling } from "../../src/system/file_spelling.ts";
import { pathsFrom } from "../../src/system/paths.ts";
import { EXIT } from "../../src/errors.ts";
import { freePort } from "../fixtures/free_port.ts";
import { listening } from "../fixtures/listening.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { TcPool } from "../fixtures/tc_process.ts";

/** A disk with these files; `isBlind` says whether it looks past case. */
function disk(files: readonly string[], isBlind: (path: string) => boolean) {
  return (path: string): string | null => {
    const at = files.findIndex((file) =>
      isBlind(path) ? file.toLowerCase() === path.toLowerCase() : file === path
    );
    return at === -1 ? null : String(at);
  };
}

Deno.test("oneSpelling() asks the file system, on Linux and macOS", () => {
  const files = ["/", "/Users", "/Users/Ada", "/Users/Ada/Pool.json"];
  const [blind, exact] = [disk(files, () => true), disk(files, () => false)];
  for (const system of ["linux", "darwin"]) {
    for (const name of ["Pool.json", "new.json", "New/deep/er.json"]) {
      const path = `/Users/Ada/${name}`;
      const spelled = oneSpelling(path, system, blind);
      strictEqual(oneSpelling(path.toUpperCase(), system, blind), spelled);
      strictEqual(oneSpelling(path, system, exact), path);
      notStrictEqual(
        oneSpelling(path.toUpperCase(), system, exact),
        spelled,
      );
    }
    // A disk that tells capitals, in a system that does not.
    const mixed = disk(
      [...files, "/Volumes", "/Volumes/Exact", "/Volumes/Exact/a"],
      (path) => !/^\/volumes\/exact\/./i.test(path),
    );
    strictEqual(
      oneSpelling("/Volumes/Exact/a", system, mixed),
      "/Volumes/Exact/a",
    );
  }
  // Composed and decomposed letters are one where capitals are.
  strictEqual(
    oneSpelling("/Users/Ada/ho\u0308hle", "darwin", blind),
    oneSpelling("/Users/Ada/h\u00f6hle", "darwin", blind),
  );
});

Deno.test("oneSpelling() takes Windows at its word", () => {
  const none = () => null;
  strictEqual(
    oneSpelling("C:\\Users\\Ada\\TC.json", "windows", none),
    oneSpelling("c:\\users\\ada\\tc.JSON", "windows", none),
  );
});

Deno.test("a pool's state and locks lie in one folder, however its config is typed", async () => {
  await using folder = new TempFolder();
  const stateOf = (path: string, system: string) =>
    pathsFrom({
      HOME: "/home/ada",
      USERPROFILE: "C:\\Users\\Ada",
      LOCALAPPDATA: "C:\\Users\\Ada\\AppData\\Local",
      TC_CONFIG: path,
    }, system).stateFolder;
  const path = folder.join("Pool.json");
  const other = folder.join("POOL.json");
  strictEqual(stateOf(path, "windows"), stateOf(other, "windows"));
  const secrets = (name: string) =>
    pathsFrom(
      { LOCALAPPDATA: "C:\\L", TC_CONFIG: folder.join(name) },
      "windows",
    )
      .secretsFolder.toLowerCase();
  strictEqual(secrets("POOL.JSON"), secrets("pool.json"));
  await Deno.writeTextFile(path, "{}");
  const isBlind = await Deno.stat(other).then(() => true, () => false);
  strictEqual(
    stateOf(path, Deno.build.os) === stateOf(other, Deno.build.os),
    isBlind,
  );
});

async function looksPastCase(): Promise<boolean> {
  await using folder = new TempFolder();
  await Deno.writeTextFile(folder.join("a"), "");
  return await Deno.stat(folder.join("A")).then(() => true, () => false);
}

Deno.test({
  name: "a server is found by another spelling of TC_CONFIG",
  // Here the disk tells capitals from small letters.
  ignore: !await looksPastCase(),
  async fn() {
    await using api = await startScriptedApi();
    api.account("work", { tier: "max_5x" });
    await using pool = await TcPool.of(api);
    const file = pool.folder.join("Own.json");
    await Deno.copyFile(pool.paths.configFile, file);
    const env = { TC_CONFIG: file };
    const other = { TC_CONFIG: file.replace("Own.json", "OWN.JSON") };
    // Only the note in the state folder tells that port.
    const port = freePort();
    const child = pool.command(
      ["server", "--headless", "--port", String(port)],
      { env, stdout: "null", stderr: "null" },
    ).spawn();
    await listening(port);
    const { stdout } = await pool.tc(["status", "--json"], other);
    strictEqual(JSON.parse(stdout).server?.port, port, stdout);
    // The lock of the pool is the same as well.
    const second = await pool.tc(
      ["server", "--headless", "--port", "0"],
      other,
    );
    strictEqual(second.code, EXIT.alreadyRunning, second.stderr);
    strictEqual((await pool.tc(["stop"], other)).code, 0);
    strictEqual((await child.status).code, 0);
  },
});
