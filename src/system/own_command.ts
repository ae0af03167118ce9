/**
 * Command lines that start this program again. Imports nothing.
 *
 * @module
 */

/**
 * Returns a command line that is stored for later use: in Claude Code's
 * settings, in a hook or in a unit. A package manager keeps each version in its
 * own folder and removes the old one, so the command uses the link on the PATH
 * that leads to this program, if there is one.
 */
export function lastingCommand(
  args: readonly string[],
  system: string,
): readonly string[] {
  const [program = "", ...words] = ownCommand(args);
  if (!Deno.build.standalone) return [program, ...words];
  return [
    linkTo(program, Deno.env.get("PATH") ?? "", system) ?? program,
    ...words,
  ];
}

/**
 * Returns the first link on `path` that leads to the file at `program`, or
 * null.
 */
export function linkTo(
  program: string,
  path: string,
  system: string,
): string | null {
  const file = realPath(program);
  if (file === null) return null;
  const isWindows = system === "windows";
  const names = [isWindows ? "tc.exe" : "tc", file.replace(/^.*[\\/]/, "")];
  for (const folder of path.split(isWindows ? ";" : ":")) {
    if (!/^([A-Za-z]:)?[\\/]/.test(folder)) continue;
    for (const name of new Set(names)) {
      const candidate = `${folder.replace(/[\\/]$/, "")}/${name}`;
      if (candidate !== file && realPath(candidate) === file) return candidate;
    }
  }
  return null;
}

function realPath(path: string): string | null {
  try {
    return Deno.realPathSync(path);
  } catch {
    // There is no such file.
    return null;
  }
}

/** Returns the command line that starts this program again with `args`. */
export function ownCommand(args: readonly string[]): readonly string[] {
  // Linux adds this to the path of a program that an upgrade has replaced.
  const program = Deno.execPath().replace(/ \(deleted\)$/, "");
  if (Deno.build.standalone) return [program, ...args];
  return [program, "run", "-A", Deno.mainModule, ...args];
}

/**
 * Starts `tc ARGS…` without a terminal, to run on after this process. Ignores a
 * failure to start.
 */
export function startDetached(args: readonly string[]): void {
  const [program = "", ...words] = ownCommand(args);
  try {
    const child = new Deno.Command(program, {
      args: words,
      stdin: "null",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    child.unref();
  } catch {
    // The next hook or helper run tries again.
  }
}
