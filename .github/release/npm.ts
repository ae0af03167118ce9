/**
 * The npm packages of a release: one per platform with the executable, and one
 * that names them as optional dependencies and starts the one that npm has
 * installed. Nothing is fetched at install.
 *
 *   npm.ts SCOPE TARGET=FILE…   writes dist/npm/PACKAGE for each
 *
 * `SCOPE` is an npm scope such as @someone; `TARGET` is Deno's name of a system.
 */

import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import config from "../../deno.json" with { type: "json" };

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** npm's words for each system that releases are built for. */
export const PLATFORMS: Readonly<
  Record<string, { readonly os: string; readonly cpu: string }>
> = {
  "x86_64-unknown-linux-gnu": { os: "linux", cpu: "x64" },
  "aarch64-unknown-linux-gnu": { os: "linux", cpu: "arm64" },
  "x86_64-apple-darwin": { os: "darwin", cpu: "x64" },
  "aarch64-apple-darwin": { os: "darwin", cpu: "arm64" },
  "x86_64-pc-windows-msvc": { os: "win32", cpu: "x64" },
};

const COMMON = {
  version: config.version,
  license: "MIT",
  description: "All your Claude accounts behind one local address",
} as const;

/** Starts the executable of this platform, in the place of this process. */
function launcher(scope: string): string {
  return `#!/usr/bin/env node
"use strict";
const { spawn } = require("node:child_process");
const { constants } = require("node:os");
const name = "${scope}/tc-" + process.platform + "-" + process.arch;
const file = process.platform === "win32" ? "tc.exe" : "tc";
let program;
try {
  program = require.resolve(name + "/" + file);
} catch {
  console.error(
    "tc: error: there is no package " + name + ".\\n" +
      "  If npm left optional dependencies out (--no-optional, --omit=optional), install with them.\\n" +
      "  Otherwise tc has no build for this system.",
  );
  process.exit(69);
}
// Before the child starts: a signal that came in between would end this process
// alone. The terminal sends the first two to the child itself.
for (const signal of ["SIGINT", "SIGQUIT"]) process.on(signal, () => {});
for (const signal of ["SIGTERM", "SIGHUP"]) {
  process.on(signal, () => child.kill(signal));
}
const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
child.on("error", (cause) => {
  console.error("tc: error: Cannot start " + program + ": " + cause.message);
  process.exit(69);
});
child.on("exit", (code, signal) => {
  process.exit(signal === null ? code : 128 + constants.signals[signal]);
});
`;
}

/** Returns the manifest of the package that people install. */
export function mainManifest(
  scope: string,
  targets: readonly string[],
): unknown {
  return {
    name: `${scope}/tc`,
    ...COMMON,
    bin: { tc: "tc.js" },
    files: ["tc.js", "README.md", "LICENSE"],
    engines: { node: ">=18" },
    optionalDependencies: Object.fromEntries(
      targets.map((target) => [nameOf(scope, target), config.version]),
    ),
  };
}

/** Returns the manifest of the package with the executable of one system. */
export function platformManifest(scope: string, target: string): unknown {
  const { os, cpu } = platformOf(target);
  return {
    name: nameOf(scope, target),
    ...COMMON,
    os: [os],
    cpu: [cpu],
    ...(os === "linux" ? { libc: ["glibc"] } : {}),
    files: [os === "win32" ? "tc.exe" : "tc"],
  };
}

function nameOf(scope: string, target: string): string {
  const { os, cpu } = platformOf(target);
  return `${scope}/tc-${os}-${cpu}`;
}

function platformOf(
  target: string,
): { readonly os: string; readonly cpu: string } {
  const platform = PLATFORMS[target];
  if (platform !== undefined) return platform;
  throw new Error(`No npm platform for ${target}`);
}

/** Writes every package below `folder`; `files` has the executables by target. */
export async function writePackages(
  folder: string,
  scope: string,
  files: ReadonlyMap<string, string>,
): Promise<void> {
  if (!/^@[a-z0-9][a-z0-9._-]*$/.test(scope)) {
    throw new Error(`${scope} is not an npm scope such as @someone`);
  }
  const main = join(folder, "tc");
  await Deno.mkdir(main, { recursive: true });
  await writeJson(
    join(main, "package.json"),
    mainManifest(scope, [...files.keys()]),
  );
  await Deno.writeTextFile(join(main, "tc.js"), launcher(scope), {
    mode: 0o755,
  });
  for (const name of ["README.md", "LICENSE"]) {
    await Deno.copyFile(join(ROOT, name), join(main, name));
  }
  for (const [target, file] of files) {
    const { os, cpu } = platformOf(target);
    const place = join(folder, `tc-${os}-${cpu}`);
    await Deno.mkdir(place, { recursive: true });
    await writeJson(
      join(place, "package.json"),
      platformManifest(scope, target),
    );
    const program = join(place, os === "win32" ? "tc.exe" : "tc");
    await Deno.copyFile(file, program);
    if (Deno.build.os !== "windows") await Deno.chmod(program, 0o755);
  }
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await Deno.writeTextFile(file, `${JSON.stringify(value, null, 2)}\n`);
}

async function main([scope = "", ...pairs]: readonly string[]): Promise<void> {
  const files = new Map(pairs.map((pair) => {
    const [target = "", file = ""] = pair.split("=");
    return [target, file] as const;
  }));
  const folder = join(ROOT, "dist", "npm");
  await writePackages(folder, scope, files);
  const names = [...files.values()].map((file) => basename(file)).join(", ");
  await Deno.stdout.write(
    new TextEncoder().encode(
      `${folder}  ${files.size} executables: ${names}\n`,
    ),
  );
}

if (import.meta.main) await main(Deno.args);
