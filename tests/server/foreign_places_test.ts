/** Folders and files of another user, and a home that nobody names. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { dirname } from "node:path";
import { pathsFrom } from "../../src/system/paths.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import {
  openOwnSync,
  refuseForeign,
  refuseForeignFile,
} from "../../src/store/files/own_files.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { ROOT } from "../fixtures/paths.ts";
import { needs } from "../fixtures/skipped.ts";

const STRANGER = 65534;
const NO_MODES = needs("modes");
/** Only root can make files of a second user. */
const NO_SECOND_USER = NO_MODES || Deno.uid() !== 0;

function refused(look: () => unknown): string | null {
  try {
    look();
    return null;
  } catch (cause) {
    return (cause as Error).message;
  }
}

Deno.test({
  name: "a folder or file of another user is refused, wherever tc meets it",
  ignore: NO_SECOND_USER,
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    const { configFile, secretsFolder, stateFolder, vaultKeyFile } = pool.paths;
    // Everything of tc is made once.
    const first = pool.command(["server", "--headless"]).spawn();
    await first.stdout.cancel();
    await first.stderr.cancel();
    for (let tries = 0; tries < 200; tries++) {
      if ((await pool.tc(["status"])).code === 0) break;
    }
    await pool.tc(["stop"]);
    await first.status;
    const cases = [
      [configFile, ["status"]],
      [secretsFolder, ["status"]],
      [`${secretsFolder}/key`, ["status"]],
      [`${secretsFolder}/vault`, ["swap", "list"]],
      [stateFolder, ["server", "--headless"]],
      [`${stateFolder}/state.db`, ["report"]],
      [vaultKeyFile, ["server", "--headless"]],
    ] as const;
    for (const [path, args] of cases) {
      await Deno.chown(path, STRANGER, STRANGER);
      const { code, stderr } = await pool.tc(args);
      await Deno.chown(path, 0, 0);
      strictEqual(code, 77, `${path}: ${stderr}`);
      match(stderr, /Cannot use .*: it belongs to user 65534, and you are/);
    }
  },
});

Deno.test({
  name: "a key that another user put into a shared folder is not used",
  ignore: NO_SECOND_USER,
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api);
    const shared = pool.folder.join("shared");
    await Deno.mkdir(shared);
    await Deno.chmod(shared, 0o1777);
    const TC_CONFIG = `${shared}/tc.json`;
    await Deno.mkdir(`${shared}/tc.vault`);
    await Deno.writeTextFile(`${shared}/tc.vault/key`, `${"x".repeat(40)}\n`);
    await Deno.chown(`${shared}/tc.vault/key`, STRANGER, STRANGER);
    await Deno.chown(`${shared}/tc.vault`, STRANGER, STRANGER);
    await Deno.chmod(`${shared}/tc.vault`, 0o755);
    const { code, stderr } = await pool.tc(["server", "--headless"], {
      TC_CONFIG,
    });
    strictEqual(code, 77, stderr);
    match(stderr, /tc\.vault: it belongs to user 65534/);
  },
});

Deno.test({
  name: "a status line command that another user put there is not run",
  ignore: NO_SECOND_USER,
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api);
    const { secretsFolder } = pool.paths;
    const ran = pool.folder.join("ran");
    const settings = pool.folder.join(".claude", "settings.json");
    const kept = `${secretsFolder}/statusline.json`;
    await Deno.mkdir(dirname(settings));
    await Deno.writeTextFile(
      kept,
      JSON.stringify({
        [settings]: { type: "command", command: `touch '${ran}'` },
      }),
      { mode: 0o644 },
    );
    const isRun = async () => {
      await pool.tc(["statusline", "--wrap"]);
      return await Deno.stat(ran).then(() => true, () => false);
    };
    await Deno.chown(kept, STRANGER, STRANGER);
    strictEqual(await isRun(), false);
    await Deno.chown(kept, 0, 0);
    strictEqual(await isRun(), true);
  },
});

Deno.test({
  name: "a link in place of log, lock, key, or database is not followed",
  ignore: NO_MODES,
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work");
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    const { secretsFolder, stateFolder } = pool.paths;
    await pool.tc(["status"]);
    await Deno.mkdir(stateFolder, { recursive: true, mode: 0o700 });
    const victim = pool.folder.join("victim");
    const log = `${stateFolder}/server.log`;
    const cases = [
      [log, ["server", "--headless", "--log-file", log]],
      [`${stateFolder}/state.db`, ["report"]],
      [`${secretsFolder}/key`, ["status"]],
      [`${secretsFolder}/vault/vault.write.lock`, ["remove", "work", "--yes"]],
    ] as const;
    for (const [path, args] of cases) {
      await Deno.writeTextFile(victim, "mine\n");
      await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await Deno.rename(path, `${path}.aside`).catch(() => {});
      await Deno.symlink(victim, path);
      const { code, stderr: said } = await pool.tc(args);
      strictEqual(code, 77, `${path}: ${said}`);
      match(said, /it is a link/);
      strictEqual(await Deno.readTextFile(victim), "mine\n");
      await Deno.remove(path);
      await Deno.rename(`${path}.aside`, path).catch(() => {});
    }
  },
});

Deno.test({
  name: "others lose access to a config with a key, and to the key file",
  ignore: NO_MODES,
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api, {
      proxy: { apiKey: "a-key-of-my-own" },
    });
    const { configFile, secretsFolder } = pool.paths;
    const modeOf = async (path: string) =>
      ((await Deno.stat(path)).mode ?? 0) & 0o777;
    await Deno.chmod(configFile, 0o644);
    await pool.tc(["config", "show"]);
    strictEqual(await modeOf(configFile), 0o600);
    await pool.tc(["config", "unset", "proxy.apiKey"]);
    await Deno.chmod(configFile, 0o644);
    strictEqual((await pool.tc(["status"])).code, 3);
    // Without a key in it others may read it, and nobody else write it.
    strictEqual(await modeOf(configFile), 0o644);
    await Deno.chmod(`${secretsFolder}/key`, 0o644);
    await pool.tc(["status"]);
    strictEqual(await modeOf(`${secretsFolder}/key`), 0o600);
    await Deno.chmod(configFile, 0o666);
    await pool.tc(["config", "show"]);
    strictEqual(await modeOf(configFile) & 0o002, 0);
  },
});

Deno.test({
  name:
    "own_files: folders others write are refused where they cannot be tightened",
  ignore: NO_MODES,
  fn: async () => {
    await using folder = new TempFolder();
    const path = folder.join("one");
    await Deno.mkdir(path);
    const { uid, gid } = await Deno.stat(path);
    const me = { uid: uid ?? 0, gid: gid ?? 0 };
    const other = { uid: me.uid + 1, gid: me.gid + 1 };
    strictEqual(refused(() => refuseForeign(folder.join("none"), me)), null);
    strictEqual(refused(() => refuseForeign(path, me)), null);
    await Deno.chmod(path, 0o777);
    strictEqual(refused(() => refuseForeign(path, me)), null);
    strictEqual(((await Deno.stat(path)).mode ?? 0) & 0o002, 0);
    // As in /tmp: nobody replaces the files of others there.
    await Deno.chmod(path, 0o1777);
    strictEqual(refused(() => refuseForeign(path, me)), null);
    if (me.uid !== 0) {
      match(refused(() => refuseForeign(path, other)) ?? "", /belongs to/);
    }
    const file = folder.join("file");
    await Deno.writeTextFile(file, "");
    await Deno.symlink(file, folder.join("link"));
    match(refused(() => refuseForeignFile(folder.join("link"))) ?? "", /link/);
    match(refused(() => refuseForeignFile(path)) ?? "", /not a regular file/);
    match(
      refused(() => openOwnSync(folder.join("link"), { append: true })) ?? "",
      /link/,
    );
    openOwnSync(folder.join("fresh"), { append: true }).close();
    strictEqual(
      ((await Deno.stat(folder.join("fresh"))).mode ?? 0) & 0o777,
      0o600,
    );
  },
});

Deno.test("without HOME the home comes from the system, never from the working directory", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const { HOME: _home, USERPROFILE: _profile, ...rest } = pool.variables;
  const folder = pool.folder.join("cwd");
  await Deno.mkdir(folder);
  for (const home of [{}, { HOME: "" }, { HOME: "relative" }, { HOME: "." }]) {
    const [program = "", ...args] = commandLine();
    const { stdout: said, stderr } = await new Deno.Command(program, {
      args: [...args, "config", "path"],
      clearEnv: true,
      env: { ...rest, ...home },
      cwd: folder,
      stdin: "null",
    }).output();
    const text = new TextDecoder().decode(said) +
      new TextDecoder().decode(stderr);
    match(text, /^(\/|[A-Z]:\\)|Cannot find your home folder/, text);
    ok(!text.includes(folder), text);
    deepStrictEqual(await Array.fromAsync(Deno.readDir(folder)), []);
  }
});

Deno.test("pathsFrom() refuses a relative home, and says what to do", () => {
  for (const HOME of [undefined, "", "home", "./x"]) {
    match(refused(() => pathsFrom({ HOME }, "linux")) ?? "", /HOME is not set/);
  }
  const whole = {
    XDG_CONFIG_HOME: "/c",
    XDG_STATE_HOME: "/s",
    XDG_DATA_HOME: "/d",
  };
  deepStrictEqual(pathsFrom(whole, "linux"), {
    configFile: "/c/tc/config.json",
    secretsFolder: "/c/tc",
    stateFolder: "/s/tc",
    vaultKeyFile: "/d/tc/vault.key",
  });
});

function commandLine(): readonly string[] {
  const binary = Deno.env.get("TC_TEST_BINARY");
  if (binary !== undefined) return [binary];
  return [Deno.execPath(), "run", "-A", "--cached-only", MAIN];
}

const MAIN = `${ROOT}main.ts`;
