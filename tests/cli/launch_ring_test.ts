/** What stands on the PATH under the name of Claude Code, and of tc. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { startsTcRun } from "../../src/claude/launch.ts";
import { linkTo } from "../../src/system/own_command.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { tcCommand, TcPool } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { needs } from "../fixtures/skipped.ts";

const IGNORE = needs("scripts");

async function script(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(path, text);
  await Deno.chmod(path, 0o755);
}

interface Stage extends AsyncDisposable {
  readonly pool: TcPool;
  readonly folder: (name: string) => string;
  readonly run: (folders: readonly string[]) => ReturnType<TcPool["tc"]>;
}

/** A pool, and folders for the PATH. */
async function stage(): Promise<Stage> {
  const stack = new AsyncDisposableStack();
  const api = stack.use(await startScriptedApi());
  api.account("work", { tier: "max_5x" });
  const pool = stack.use(await TcPool.of(api, { usage: { poll: false } }));
  for (const name of ["first", "second"]) {
    await Deno.mkdir(pool.folder.join(name));
  }
  const folder = (name: string) => pool.folder.join(name);
  return {
    pool,
    folder,
    run: (folders) => {
      const path = [...folders.map(folder), "/usr/bin", "/bin"].join(":");
      return pool.tc(["run", "--", "hello"], { PATH: path });
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

Deno.test({
  name: "a script named claude that runs tc run is skipped, or reported",
  ignore: IGNORE,
  fn: async () => {
    await using it = await stage();
    const words = tcCommand().map((word) => `'${word}'`).join(" ");
    await script(
      `${it.folder("first")}/claude`,
      `#!/bin/sh\n# tc run with my options\nexec ${words} run -- "$@"\n`,
    );
    const alone = await it.run(["first"]);
    strictEqual(alone.code !== 0, true);
    match(alone.stderr, /first\/claude leads back to tc run/);
    await script(
      `${it.folder("second")}/claude`,
      '#!/bin/sh\necho "the real one: $1"\n',
    );
    const passed = await it.run(["first", "second"]);
    strictEqual(passed.code, 0, passed.stderr);
    match(passed.stdout, /^the real one: hello$/m);
  },
});

Deno.test({
  name: "a loop that the file does not show ends after a few rounds",
  ignore: IGNORE,
  fn: async () => {
    await using it = await stage();
    const count = it.folder("count");
    const [program, ...first] = tcCommand();
    const all = [program, ...first].map((word) => `'${word}'`).join(" ");
    // The words that start it stand in another file.
    await script(`${it.folder("first")}/go`, `#!/bin/sh\nexec ${all} "$@"\n`);
    await script(
      `${it.folder("first")}/claude`,
      `#!/bin/sh\necho one >>'${count}'\nexec go "r""un" -- "$@"\n`,
    );
    const { code, stderr } = await it.run(["first"]);
    strictEqual(code !== 0, true);
    match(stderr, /leads back to tc run/);
    const rounds = (await Deno.readTextFile(count)).trim().split("\n").length;
    ok(rounds >= 2 && rounds <= 6, `${rounds} rounds`);
  },
});

Deno.test({
  name: "a claude that cannot be executed is reported with its reason",
  ignore: IGNORE,
  fn: async () => {
    await using it = await stage();
    const claude = `${it.folder("first")}/claude`;
    await script(claude, "#!/no/such/interpreter\n");
    const gone = await it.run(["first"]);
    strictEqual(gone.code, 69, gone.stderr);
    match(
      gone.stderr,
      /first\/claude: its interpreter \/no\/such\/interpreter is not there/,
    );
    await script(claude, "\x7fELF of another machine");
    const wrong = await it.run(["first"]);
    match(wrong.stderr, /it is not a program of this system/);
    ok(!/bug in tc/.test(gone.stderr + wrong.stderr));
  },
});

Deno.test("startsTcRun() knows the ways to write it", async () => {
  await using folder = new TempFolder();
  const file = folder.join("claude");
  const rings = [
    'exec tc run -- "$@"',
    '/opt/bin/tc run -- "$@"',
    '"$HOME/bin/tc" run "$@"',
    "exec 'tc' run",
  ];
  const others = [
    'exec /opt/claude "$@"',
    "# made by tc; see tc help\nexec real",
    "etc runs",
  ];
  for (const text of rings) {
    await Deno.writeTextFile(file, `#!/bin/sh\n${text}\n`);
    strictEqual(startsTcRun(file), true, text);
  }
  for (const text of others) {
    await Deno.writeTextFile(file, `#!/bin/sh\n${text}\n`);
    strictEqual(startsTcRun(file), false, text);
  }
  strictEqual(startsTcRun(folder.join("none")), false);
});

Deno.test({
  name:
    "linkTo() finds the link on the PATH that outlives the version's folder",
  ignore: IGNORE,
  fn: async () => {
    await using folder = new TempFolder();
    const file = folder.join("Cellar", "1", "tc");
    await Deno.mkdir(folder.join("Cellar", "1"), { recursive: true });
    await Deno.mkdir(folder.join("bin"));
    await Deno.mkdir(folder.join("other"));
    await script(file, "#!/bin/sh\n");
    await script(folder.join("other", "tc"), "#!/bin/sh\n");
    await Deno.symlink(file, folder.join("bin", "tc"));
    const path = [
      "relative",
      "",
      folder.join("other"),
      folder.join("Cellar", "1"),
      folder.join("bin"),
    ].join(":");
    strictEqual(linkTo(file, path, Deno.build.os), folder.join("bin", "tc"));
    strictEqual(
      linkTo(folder.join("bin", "tc"), path, Deno.build.os),
      folder.join("bin", "tc"),
    );
    strictEqual(linkTo(file, folder.join("other"), Deno.build.os), null);
    strictEqual(linkTo(folder.join("none"), path, Deno.build.os), null);
  },
});
