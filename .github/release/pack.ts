/**
 * What a release does with the executable that it made, alike in the shell of
 * every system:
 *
 *   deno run -A .github/release/pack.ts try PROGRAM     runs it
 *   deno run -A .github/release/pack.ts pack FOLDER     FOLDER/tc to an archive
 *
 * The archive lies beside the folder, and is named after it.
 */

import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PROGRAM = Deno.build.os === "windows" ? "tc.exe" : "tc";

const COMPLETIONS: Readonly<Record<string, string>> = {
  bash: "tc.bash",
  zsh: "_tc",
  fish: "tc.fish",
  powershell: "tc.ps1",
};

/** Runs `program` to its end. Returns its output, or throws. */
async function run(
  program: string,
  args: readonly string[],
  options: Pick<Deno.CommandOptions, "cwd" | "stdout"> = {},
): Promise<Uint8Array> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
    ...options,
  });
  if (options.stdout !== "piped") {
    const { code } = await child.spawn().status;
    if (code !== 0) throw new Error(`${program} ended with ${code}`);
    return new Uint8Array();
  }
  const { code, stdout } = await child.output();
  if (code !== 0) throw new Error(`${program} ended with ${code}`);
  return stdout;
}

/** Runs what was made, or signed: it starts, answers, and keeps its fence. */
export async function tryProgram(program: string): Promise<void> {
  await run(program, ["version"]);
  await run(program, ["demo", "--once"]);
  await run(program, ["doctor", "--prove"]);
}

/** Packs `folder`, which holds the program. Returns the path of the archive. */
export async function pack(
  folder: string,
  name: string = PROGRAM,
): Promise<string> {
  const tc = join(folder, name);
  await Deno.mkdir(join(folder, "completions"), { recursive: true });
  for (const [shell, file] of Object.entries(COMPLETIONS)) {
    await Deno.writeFile(
      join(folder, "completions", file),
      await run(tc, ["completion", shell], { stdout: "piped" }),
    );
  }
  await Deno.mkdir(join(folder, "man"), { recursive: true });
  await Deno.writeFile(
    join(folder, "man", "tc.1"),
    await run(tc, ["man"], { stdout: "piped" }),
  );
  for (const file of ["LICENSE", "README.md"]) {
    await Deno.copyFile(join(ROOT, file), join(folder, file));
  }
  const archive = `tc-${basename(folder)}.tar.gz`;
  const parts = [name, "completions", "man", "LICENSE", "README.md"];
  // By relative names: some tars take a drive's letter for another machine.
  await run("tar", ["-czf", join("..", archive), ...parts], { cwd: folder });
  return join(dirname(folder), archive);
}

if (import.meta.main) {
  const [what, path] = Deno.args;
  if (path === undefined || (what !== "try" && what !== "pack")) {
    throw new TypeError("Name try or pack, and a path");
  }
  if (what === "try") await tryProgram(path);
  else await pack(path);
}
