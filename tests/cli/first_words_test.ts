/** What a newcomer types first, and where a shell puts it. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { needs } from "../fixtures/skipped.ts";

Deno.test("a group of commands without a command shows its help", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  for (const group of ["swap", "profile", "plugin", "service"]) {
    const { code, stdout, stderr } = await pool.tc([group]);
    strictEqual(code, 2);
    match(stdout, new RegExp(`Usage: tc ${group} |tc ${group} `));
    ok(!`${stdout}${stderr}`.includes("outputHelp"), stderr);
  }
});

Deno.test("excess arguments are refused, and nothing is done", async () => {
  await using api = await startScriptedApi();
  api.account("spare");
  api.account("home");
  await using pool = await TcPool.of(api);
  const before = await pool.tc(["accounts", "--json"]);
  for (
    const [args, words] of [
      [["remove", "spare", "home", "--yes"], /takes 1 argument; you gave 2/],
      [["status", "now"], /takes no argument; you gave 1/],
      [["prices", "soon"], /Cannot find tc prices soon/],
      [["config", "set", "proxy.port", "1", "2"], /takes 2 arguments; .* 3/],
    ] as const
  ) {
    const { code, stderr } = await pool.tc([...args]);
    strictEqual(code, 2, stderr);
    match(stderr, words);
  }
  const after = await pool.tc(["accounts", "--json"]);
  const labels = (text: string) =>
    JSON.parse(text).accounts.map(({ label }: { label: string }) => label);
  deepStrictEqual(labels(after.stdout), labels(before.stdout));
});

Deno.test("names that people try lead to the command", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  for (
    const [name, command] of [
      ["ps", "status"],
      ["logout", "remove"],
      ["log", "logs"],
      ["whoami", "accounts"],
      ["quit", "stop"],
      ["kill", "stop"],
      ["cost", "report"],
      ["costs", "report"],
      ["limits", "status"],
      ["quota", "status"],
      ["uninstall", "paths"],
      ["settings", "config"],
      ["update", "upgrade"],
      ["delete", "remove"],
      ["rm", "remove"],
      ["use", "pin"],
      ["dashboard", "watch"],
      ["top", "watch"],
      ["why", "explain"],
    ]
  ) {
    const { code, stderr } = await pool.tc([name ?? ""]);
    strictEqual(code, 2, stderr);
    match(stderr, new RegExp(`tc ${command} +does that`));
  }
});

Deno.test("tc login --no-input ends at once and says what to do", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  for (const way of [[], ["--no-browser"], ["--account", "work"]]) {
    const { code, stderr } = await pool.tc(["login", "--no-input", ...way]);
    strictEqual(code, 4, stderr);
    match(stderr, /needs a person[^]*--api-key-stdin/);
  }
  // Without a terminal nobody is there either.
  for (const args of [["login"], ["login", "--api"]]) {
    const { code, stderr } = await pool.tc(args);
    strictEqual(code, 4, stderr);
    match(stderr, /--api-key-stdin/);
  }
});

Deno.test("tc config path prints one path, and all folders with --all", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const { configFile, stateFolder } = pool.paths;
  const path = await pool.tc(["config", "path"]);
  strictEqual(path.stdout, `${configFile}\n`);
  const all = await pool.tc(["config", "path", "--all"]);
  ok(all.stdout.includes(stateFolder), all.stdout);
});

Deno.test("tc logs prints the last lines, follows the file, and says where none is", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const file = join(pool.paths.stateFolder, "server.log");
  const none = await pool.tc(["logs"]);
  strictEqual(none.code, 1, none.stderr);
  match(none.stderr, /There is no server log at/);
  await Deno.mkdir(pool.paths.stateFolder, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(file, "one\ntwo\nthree\n");
  strictEqual((await pool.tc(["logs", "--lines", "2"])).stdout, "two\nthree\n");
  await Deno.writeTextFile(
    file,
    `2026-11-21T12:30:40.000Z info  request  id=tc_1 account="my work" status=200\n`,
    { append: true },
  );
  const json = await pool.tc(["logs", "--lines", "1", "--json"]);
  deepStrictEqual(JSON.parse(json.stdout), {
    schema: "tc.log/v1",
    at: "2026-11-21T12:30:40.000Z",
    level: "info",
    event: "request",
    id: "tc_1",
    account: "my work",
    status: 200,
  });
  await Deno.writeTextFile(file, "one\ntwo\nthree\n");
  await using child = pool.command(["logs", "-f", "--lines", "1"], {
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  async function until(words: string): Promise<void> {
    for (let text = ""; !text.includes(words);) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`It ended before ${words}: ${text}`);
      text += value;
    }
  }
  await until("three\n");
  await Deno.writeTextFile(file, "four\n", { append: true });
  await until("four\n");
  // As the server does it when the file is large.
  await Deno.rename(file, `${file}.1`);
  await Deno.writeTextFile(file, "5\n");
  await until("5\n");
  await reader.cancel();
  child.kill("SIGKILL");
});

Deno.test("a proxy variable that is not a URL is reported, not as a bug in tc", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const { code, stderr } = await pool.tc(["server", "--headless"], {
    HTTPS_PROXY: "ht!tp://x:secret@z",
  });
  strictEqual(code, 78, stderr);
  match(stderr, /HTTPS_PROXY is not a URL/);
  ok(!/bug in tc|secret/.test(stderr), stderr);
});

Deno.test({
  name: "the config of another user's folder is not changed",
  ignore: needs("modes") || Deno.uid() !== 0,
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api);
    const folder = pool.folder.join("theirs");
    await Deno.mkdir(folder);
    const file = `${folder}/config.json`;
    await Deno.writeTextFile(file, "{}");
    for (const path of [file, folder]) await Deno.chown(path, 65534, 65534);
    const { code, stderr } = await pool.tc(
      ["config", "set", "proxy.port", "3471"],
      { TC_CONFIG: file },
    );
    strictEqual(code, 77, stderr);
    match(stderr, /belongs to user 65534/);
    strictEqual(await Deno.readTextFile(file), "{}");
  },
});
