/**
 * What only the system itself can show, for the workflows: the executable's
 * first words, its fence, the real keychain, the service's text, Claude Code
 * from npm and the install script.
 *
 *   deno run -A tests/smoke/main.ts PATH-OF-TC [--client]
 *
 * `--client` installs Claude Code with `npm i -g` and starts it by `tc run`.
 */

import { join } from "node:path";
import { keychainTool } from "../../src/store/vault/keychain_tools.ts";
import { systemRunner } from "../../src/system/command_runner.ts";
import { ROOT } from "../fixtures/paths.ts";

const SECRET = btoa("a secret of the smoke test");
const KEYCHAIN_MS_MAX = 30_000;
const CLIENT = "@anthropic-ai/claude-code@2.1.329";
const isWindows = Deno.build.os === "windows";

function say(text: string): void {
  // deno-lint-ignore no-console
  console.log(`== ${text}`);
}

async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  say([program, ...args].join(" "));
  const { code } = await new Deno.Command(program, {
    args: [...args],
    cwd: ROOT,
    env,
    stdin: "null",
  }).spawn().status;
  if (code !== 0) throw new Error(`It ended with ${code}`);
}

/** A round through the keychain; a Linux without one is told and passed over. */
async function keychain(): Promise<void> {
  const tool = keychainTool(Deno.build.os, {
    runner: systemRunner,
    timeoutMs: KEYCHAIN_MS_MAX,
  });
  if (tool === null) return say("keychain: none is known here");
  const reason = await tool.check().then(() => null, (cause) => cause.message);
  if (reason !== null && Deno.build.os === "linux") {
    return say(`keychain: left out: ${reason}`);
  }
  say(`keychain: ${tool.text}`);
  const id = `smoke-${Deno.pid}`;
  const note = await tool.store(id, SECRET);
  if (await tool.load(id, note) !== SECRET) {
    throw new Error("the keychain gave something else back");
  }
  await tool.erase(id);
}

async function installScript(): Promise<void> {
  const folder = join(".github", "release");
  const env = { TC_REPOSITORY: "someone/tc" };
  if (!isWindows) {
    return await run("sh", [join(folder, "install.sh"), "--dry-run"], env);
  }
  await run("powershell.exe", [
    "-NoProfile",
    "-ExecutionPolicy",
    "Bypass",
    "-File",
    join(folder, "install.ps1"),
    "-DryRun",
  ], env);
}

async function client(tc: string): Promise<void> {
  const npm = isWindows ? "npm.cmd" : "npm";
  await run(npm, ["install", "--global", CLIENT]);
  await run(tc, ["run", "--", "--version"]);
  await run(tc, ["stop"]);
}

const [tc, ...flags] = Deno.args;
if (tc === undefined) throw new Error("Name the executable");
for (
  const args of [
    ["version"],
    ["demo", "--once"],
    ["doctor", "--prove"],
    ["service", "print"],
    ["service", "install", "--dry-run"],
  ]
) await run(tc, args);
await keychain();
await installScript();
if (flags.includes("--client")) await client(tc);
