/** `tc config` on a terminal and off it, its schema, and `tc paths`. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { dirname, join } from "node:path";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { ServedPool } from "../fixtures/served_pool.ts";
import { cleanVariables, tcCommand, TcPool } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { hasTmux, Tmux } from "../fixtures/tmux.ts";
import { settingRows } from "../../src/config/settings.ts";
import { pathsFrom } from "../../src/system/paths.ts";

async function tc(
  home: string,
  args: readonly string[],
): Promise<{ code: number; out: string; err: string }> {
  const [program, ...first] = tcCommand();
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...first, ...args],
    env: cleanVariables(home),
    clearEnv: true,
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

function configOf(home: string): string {
  return pathsFrom(cleanVariables(home), Deno.build.os).configFile;
}

Deno.test("a new config names its schema, which lies beside it; an old config gets none", async () => {
  await using folder = new TempFolder();
  const home = folder.path;
  const file = configOf(home);
  strictEqual(
    (await tc(home, ["config", "set", "usage.poll", "false"])).code,
    0,
  );
  const made = JSON.parse(await Deno.readTextFile(file));
  strictEqual(made.$schema, "./tc.schema.json");
  const schema = await Deno.readTextFile(join(dirname(file), made.$schema));
  strictEqual(schema, (await tc(home, ["config", "schema"])).out);
  // The line is no unknown setting to the doctor.
  ok(!(await tc(home, ["doctor"])).out.includes("$schema"));

  await Deno.writeTextFile(file, "{}\n");
  strictEqual(
    (await tc(home, ["config", "set", "usage.poll", "true"])).code,
    0,
  );
  deepStrictEqual(JSON.parse(await Deno.readTextFile(file)), {
    usage: { poll: true },
  });
});

Deno.test("a mistyped setting is answered with the nearest one", async () => {
  await using folder = new TempFolder();
  for (const words of [["get"], ["show"], ["unset"]]) {
    const { code, err } = await tc(folder.path, [
      "config",
      ...words,
      "proxy.prot",
    ]);
    strictEqual(code, 2, err);
    match(err, /proxy\.port is the nearest/);
  }
  const file = configOf(folder.path);
  await Deno.mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(file, '{"proxy": {"prot": 1}}', { mode: 0o600 });
  match((await tc(folder.path, ["doctor"])).out, /Did you mean proxy\.port\?/);
});

Deno.test("a config that still has a retired setting works, and says so", async () => {
  await using folder = new TempFolder();
  const home = folder.path;
  const file = configOf(home);
  await Deno.mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const kept = { routing: { paceTieBand: "nonsense", parking: 30 } };
  await Deno.writeTextFile(file, JSON.stringify(kept), { mode: 0o600 });
  const shown = await tc(home, ["config", "get", "routing.parking"]);
  strictEqual(shown.code, 0, shown.err);
  strictEqual(shown.out.trim(), "30");
  const retired = /routing\.paceTieBand is no longer a setting/;
  const doctor = await tc(home, ["doctor"]);
  match(doctor.out, retired);
  ok(!doctor.out.includes("Did you mean"));
  for (const words of [["get"], ["show"], ["set"]]) {
    const key = "routing.paceTieBand";
    const value = words[0] === "set" ? ["0.2"] : [];
    const refused = await tc(home, ["config", ...words, key, ...value]);
    strictEqual(refused.code, 2);
    match(refused.err, retired);
  }
  const gone = await tc(home, ["config", "unset", "routing.paceTieBand"]);
  strictEqual(gone.code, 0, gone.err);
  deepStrictEqual(JSON.parse(await Deno.readTextFile(file)), {
    routing: { parking: 30 },
  });
  ok(!retired.test((await tc(home, ["doctor"])).out));
});

Deno.test("a setting that is unset takes its empty section along and leaves the comments", async () => {
  await using folder = new TempFolder();
  const home = folder.path;
  const file = configOf(home);
  await Deno.mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const text = '{\n  // Mine.\n  "usage": { "poll": false }\n}\n';
  await Deno.writeTextFile(file, text, { mode: 0o600 });
  strictEqual((await tc(home, ["config", "set", "paid.max", "5/day"])).code, 0);
  match(await Deno.readTextFile(file), /"paid": \{\s+"max": "5\/day"/);
  strictEqual((await tc(home, ["config", "unset", "paid.max"])).code, 0);
  strictEqual(await Deno.readTextFile(file), text);
  strictEqual((await tc(home, ["config", "unset", "paid.max"])).code, 0);
  strictEqual(await Deno.readTextFile(file), text);
});

Deno.test("tc config show prints what people change, and --all the rest", async () => {
  await using folder = new TempFolder();
  const home = folder.path;
  const rows = (text: string) =>
    text.split("\n").filter((line) => /^\S+ = /.test(line))
      .map((line) => line.split(" ")[0]);
  const common = await tc(home, ["config", "show"]);
  const all = await tc(home, ["config", "show", "--all"]);
  ok(rows(common.out).length >= 22 && rows(common.out).length <= 28);
  deepStrictEqual(rows(all.out), settingRows().map(({ key }) => key));
  match(common.out, /\d+ more for special cases: tc config show --all/);
  match(common.out, /hold\.maxMs = 600000 ms \(10m\)\n/);
  for (const line of all.out.split("\n")) {
    ok(line.length <= 80 || line.includes(" = "), line);
  }
  // What somebody changed is shown with the others.
  await tc(home, ["config", "set", "routing.probeMs", "30000"]);
  const changed = await tc(home, ["config", "show"]);
  match(changed.out, /routing\.probeMs = 30000 ms \(30s\) {2}\(file\)/);
});

Deno.test({
  name: "on a terminal tc config is a list that a person walks and changes",
  ignore: !hasTmux(),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api, {});
    await using tmux = await Tmux.open({
      columns: 100,
      rows: 30,
      variables: pool.variables,
    });
    await tmux.type([...tcCommand(), "config"].join(" "));
    await tmux.until(
      "Which setting?",
      (screen) => screen.includes("Which setting?"),
    );
    await tmux.press("p", "o", "l", "l");
    await tmux.until("2 matches", (screen) => screen.includes("2 matches"));
    await tmux.press("Enter");
    await tmux.until(
      "Reset to the default, true",
      (screen) => screen.includes("Reset to the default, true"),
    );
    await tmux.press("Down");
    await tmux.press("Enter");
    await tmux.until(
      "usage.poll = false",
      (screen) => screen.includes("usage.poll = false"),
    );
    await tmux.press("Enter");
    await tmux.untilShell();
    const { value } = await pool.json(["config", "get", "usage.poll"]);
    strictEqual(value, false);
  },
});

Deno.test("without a terminal tc config prints the settings", async () => {
  await using folder = new TempFolder();
  const { code, out } = await tc(folder.path, ["config"]);
  strictEqual(code, 0);
  match(out, /^proxy\.port = /m);
});

Deno.test("tc paths names every file that a served request leaves behind", async () => {
  await using served = await ServedPool.open();
  const { pool } = served;
  const answer = await served.post({ text: "demo:say ok" });
  strictEqual(answer.status, 200, await answer.text());
  // The ledger is written a moment later.
  await pool.tc(["restart"]);
  const { places } = await pool.json(["paths"]) as {
    places: readonly { readonly path: string; readonly isThere: boolean }[];
  };
  const roots = places.map(({ path }) => path);
  const strays = [...files(pool.variables["HOME"] ?? "")].filter((file) =>
    !roots.some((root) => file === root || file.startsWith(join(root, "/")))
  );
  deepStrictEqual(strays, []);
  for (const name of ["vault.key", "state.db", "config.json"]) {
    ok(
      places.some(({ path, isThere }) => isThere && path.endsWith(name)),
      name,
    );
  }
});

function* files(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    const path = join(folder, name);
    if (isDirectory) yield* files(path);
    else yield path;
  }
}

Deno.test("tc config show of a group prints its settings", async () => {
  await using folder = new TempFolder();
  const { code, out } = await tc(folder.path, ["config", "show", "hold"]);
  strictEqual(code, 0);
  const names = out.split("\n").flatMap((line) =>
    /^hold\.\w+/.exec(line)?.[0] ?? []
  );
  const own = settingRows().map(({ key }) => key)
    .filter((key) => key.startsWith("hold."));
  deepStrictEqual(names, own);
});

Deno.test("tc config set notify.command says that the program is not there", async () => {
  await using folder = new TempFolder();
  const set = (value: string) =>
    tc(folder.path, ["config", "set", "notify.command", value]);
  const command = folder.join("no-such-program");
  match((await set(command)).err, /warning: .*no-such-program is not there/);
  match((await set("say it")).err, /is not on PATH: it is one program/);
  strictEqual((await set("")).err, "");
  strictEqual((await set(Deno.execPath())).err, "");
});
