/** `tc statusline install`: the old line kept, wrapped, and put back. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { PoolFolder } from "../fixtures/pool_server.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { cleanVariables } from "../fixtures/tc_process.ts";

const CLIENT_HAS_SH = Deno.build.os !== "windows" ||
  await Deno.stat("C:\\Program Files\\Git\\bin\\bash.exe")
    .then(() => true, () => false);

const SETTINGS = `{
  // what I like
  "model": "opus",
  "statusLine": { "type": "command", "command": "cat >/dev/null; echo mine; echo two", "padding": 1 },
  "hooks": {} // none
}
`;

async function tc(
  pool: PoolFolder,
  args: readonly string[],
): Promise<{ readonly code: number; readonly stdout: string }> {
  const { code, stdout } = await pool.run(args).output();
  return { code, stdout: new TextDecoder().decode(stdout) };
}

Deno.test("install keeps what was there and uninstall brings it back", async () => {
  await using pool = new PoolFolder();
  const folder = pool.folder.join(".claude");
  const file = `${folder}/settings.json`;
  await Deno.mkdir(folder);
  await Deno.writeTextFile(file, SETTINGS);

  strictEqual((await tc(pool, ["statusline", "install"])).code, 0);
  strictEqual((await tc(pool, ["statusline", "install"])).code, 0);
  const installed = await Deno.readTextFile(file);
  ok(installed.includes("// what I like"));
  ok(installed.includes("// none"));
  const line = installed.split("\n").find((text) => text.includes('command":'));
  ok(/statusline --wrap"/.test(line ?? installed), installed);
  ok(installed.indexOf("model") < installed.indexOf("statusLine"));
  ok(installed.indexOf("statusLine") < installed.indexOf("hooks"));

  const child = pool.spawn(["statusline", "--wrap"], { stdin: "piped" });
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode('{"model":"m"}'));
  await writer.close();
  const { stdout } = await child.output();
  // The line is one for sh: wine, and Windows without Git, have none.
  const before = CLIENT_HAS_SH ? "mine\ntwo\n" : "";
  strictEqual(new TextDecoder().decode(stdout), `${before}m\n`);

  strictEqual((await tc(pool, ["statusline", "uninstall"])).code, 0);
  deepStrictEqual(
    uncommented(await Deno.readTextFile(file)),
    uncommented(SETTINGS),
  );
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) names.push(name);
  deepStrictEqual(names, ["settings.json"]);
});

Deno.test("uninstall does not touch a line that is not tc's", async () => {
  await using pool = new PoolFolder();
  const folder = pool.folder.join(".claude");
  const file = `${folder}/settings.json`;
  await Deno.mkdir(folder);
  await Deno.writeTextFile(file, SETTINGS);
  const { code, stdout } = await tc(pool, ["statusline", "uninstall"]);
  strictEqual(code, 0);
  ok(stdout.startsWith("Nothing to do"));
  strictEqual(await Deno.readTextFile(file), SETTINGS);
});

Deno.test("where nothing is installed, every uninstall says so and adds no file", async () => {
  await using pool = new PoolFolder();
  for (
    const words of [
      ["statusline", "uninstall"],
      ["plugin", "uninstall"],
    ]
  ) {
    const { code, stdout } = await tc(pool, words);
    strictEqual(code, 0, words.join(" "));
    ok(stdout.startsWith("Nothing to do"), stdout);
  }
  const service = await tc(pool, ["service", "uninstall", "--dry-run"]);
  strictEqual(service.code, 0);
  ok(!/^remove /m.test(service.stdout), service.stdout);
  strictEqual(await isThere(pool.folder.join(".claude")), false);
});

Deno.test("install creates missing settings, and uninstall empties them", async () => {
  await using pool = new PoolFolder();
  const file = pool.folder.join(".claude", "settings.json");
  await tc(pool, ["statusline", "install"]);
  const { statusLine } = JSON.parse(await Deno.readTextFile(file));
  strictEqual(statusLine.type, "command");
  ok(/ statusline$/.test(statusLine.command));
  await tc(pool, ["statusline", "uninstall"]);
  deepStrictEqual(JSON.parse(await Deno.readTextFile(file)), {});
});

Deno.test("a program that is not called tc recognises its own line", async () => {
  await using home = new TempFolder();
  const root = new URL("../../", import.meta.url);
  const program = home.join("pool.ts");
  const main = new URL("main.ts", root).href;
  await Deno.writeTextFile(program, `import ${JSON.stringify(main)};`);
  const config = fileURLToPath(new URL("deno.json", root));
  for (let round = 0; round < 2; round++) {
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--config", config, program].concat(
        ["statusline", "install"],
      ),
      env: cleanVariables(home.path),
      clearEnv: true,
      stdout: "null",
      stderr: "null",
    }).output();
    ok(success);
  }
  const file = home.join(".claude", "settings.json");
  const { statusLine } = JSON.parse(await Deno.readTextFile(file));
  // Its own line kept as the old one would run itself without end.
  ok(/pool\.ts'? statusline$/.test(statusLine.command), statusLine.command);
});

/** The JSON of a text with comments at the ends of lines. */
function uncommented(text: string): unknown {
  return JSON.parse(text.replace(/ *\/\/ .*$/gm, ""));
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}
