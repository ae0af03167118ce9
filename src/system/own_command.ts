/**
 * How this very program is started again. Loads nothing of the house.
 *
 * @module
 */

/**
 * The arguments of a command that is written down for later: in settings of
 * Claude Code, in a hook, in a unit. A package manager keeps each version in a
 * folder of its own and removes the old one, so the command names the link on
 * the PATH that leads to this program, where there is one.
 */
export function lastingCommand(args: readonly string[]): readonly string[] {
  const [program = "", ...words] = ownCommand(args);
  if (!Deno.build.standalone) return [program, ...words];
  return [linkTo(program, Deno.env.get("PATH") ?? "") ?? program, ...words];
}

/** The first link on `path` that leads to the file at `program`, or null. */
export function linkTo(program: string, path: string): string | null {
  const file = realPath(program);
  if (file === null) return null;
  const isWindows = Deno.build.os === "windows";
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
    // Nothing is there.
    return null;
  }
}

/** The arguments by which this very program is started again. */
export function ownCommand(args: readonly string[]): readonly string[] {
  // What Linux says of a program whose file an upgrade has replaced.
  const program = Deno.execPath().replace(/ \(deleted\)$/, "");
  if (Deno.build.standalone) return [program, ...args];
  return [program, "run", "-A", Deno.mainModule, ...args];
}

/** Starts `tc ARGS…` without a terminal; a failure to start is no error. */
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
