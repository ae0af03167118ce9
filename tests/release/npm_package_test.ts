/** The npm packages: what they name, and that npm installs and starts them. */

import "../fixtures/clean_environment.ts";
import {
  deepStrictEqual,
  match,
  ok,
  strictEqual,
  throws,
} from "node:assert/strict";
import {
  mainManifest,
  platformManifest,
  PLATFORMS,
  writePackages,
} from "../../.github/release/npm.ts";
import config from "../../deno.json" with { type: "json" };
import { cleanVariables } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { needs } from "../fixtures/skipped.ts";

const SCOPE = "@example";

Deno.test("the npm package names one package per platform, of its own version", () => {
  const targets = Object.keys(PLATFORMS);
  const { optionalDependencies, scripts } = mainManifest(SCOPE, targets) as {
    optionalDependencies: Record<string, string>;
    scripts?: unknown;
  };
  strictEqual(scripts, undefined, "nothing runs at install");
  const manifests = targets.map((target) =>
    platformManifest(SCOPE, target) as { name: string; version: string }
  );
  deepStrictEqual(
    optionalDependencies,
    Object.fromEntries(manifests.map(({ name, version }) => [name, version])),
  );
  ok(manifests.every(({ version }) => version === config.version));
  throws(() => platformManifest(SCOPE, "riscv64-unknown-linux-gnu"), /No npm/);
});

/** A program that takes the place of tc where there is no executable. */
const STAND_IN = `#!/bin/sh
[ "$1" = end ] && exit 7
[ "$1" = wait ] && { trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done; }
echo "tc stand-in $*"
`;

async function npm(
  folder: TempFolder,
  program: string,
  ...args: readonly string[]
): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd: folder.path,
    clearEnv: true,
    env: {
      ...cleanVariables(folder.path),
      npm_config_cache: folder.join("cache"),
      npm_config_update_notifier: "false",
    },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

async function namesIn(folder: string): Promise<readonly string[]> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  return entries.map(({ name }) => name);
}

/** Installs both packages from their tarballs, as from a registry. */
async function installed(
  folder: TempFolder,
  executable: string,
): Promise<void> {
  const packages = folder.join("packages");
  await writePackages(
    packages,
    SCOPE,
    new Map([[Deno.build.target, executable]]),
  );
  const names = await namesIn(packages);
  strictEqual(names.length, 2);
  for (const name of names) {
    const { code, text } = await npm(
      folder,
      "npm",
      "pack",
      `${packages}/${name}`,
    );
    strictEqual(code, 0, text);
  }
  await Deno.writeTextFile(folder.join("package.json"), "{}");
  const tarballs = (await namesIn(folder.path))
    .filter((name) => name.endsWith(".tgz")).map((name) => `./${name}`);
  // The registry is not asked: both are here.
  const { code, text } = await npm(
    folder,
    "npm",
    "install",
    "--offline",
    "--no-audit",
    "--no-fund",
    ...tarballs,
  );
  strictEqual(code, 0, text);
}

Deno.test({
  name: "npm installs the tarballs offline, and npx starts the executable",
  ignore: needs("npm"),
  fn: async () => {
    await using folder = new TempFolder();
    const binary = Deno.env.get("TC_TEST_BINARY");
    const standIn = folder.join("stand-in");
    await Deno.writeTextFile(standIn, STAND_IN, { mode: 0o755 });
    await installed(folder, binary ?? standIn);
    const said = await npm(folder, "npx", "--no-install", "tc", "version");
    strictEqual(said.code, 0, said.text);
    match(said.text, binary === undefined ? /stand-in version/ : /^tc \d/m);
    if (binary !== undefined) return;

    strictEqual(
      (await npm(folder, "npx", "--no-install", "tc", "end")).code,
      7,
    );
    const launcher = new Deno.Command(folder.join("node_modules/.bin/tc"), {
      args: ["wait"],
      stdout: "piped",
      clearEnv: true,
      env: cleanVariables(folder.path),
    }).spawn();
    const reader = launcher.stdout.getReader();
    await reader.read();
    launcher.kill("SIGTERM");
    strictEqual((await launcher.status).code, 9);
    await reader.cancel();
  },
});
