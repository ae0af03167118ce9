/**
 * Commands that tc suggests, as the shell of the person who reads them takes
 * them. Every hint, example and message gets them here, and nowhere else; the
 * tidy tests look for commands of one shell in other files.
 *
 * @module
 */

import { inert } from "./core/plain_text.ts";
import type { Environment } from "./variables.ts";

export const SHELLS = [
  "sh",
  "bash",
  "zsh",
  "fish",
  "powershell",
  "cmd",
] as const;

type ShellName = typeof SHELLS[number];

/** Where a person types: the same shell has other commands on another system. */
export interface PersonShell {
  readonly name: ShellName;
  readonly system: string;
}

/** What to do, in any shell or in the reader's. */
export type Hint = string | ((shell: PersonShell) => string);

/** The shell of a manual page, and of pages on the web. */
export const MANUAL_SHELL: PersonShell = { name: "sh", system: "linux" };

/** Variables that {@linkcode personShell} reads. */
export const SHELL_VARIABLES = ["SHELL", "PSMODULEPATH", "PROMPT"] as const;

/** The folder of a person's modules, which PowerShell adds for its children. */
const OWN_MODULES = /\\(Windows)?PowerShell\\Modules/i;
const MACHINE_MODULES = /^[^;]*\\(Program Files[^\\]*|System32)\\/i;

export function hintText(hint: Hint, shell: PersonShell): string {
  return typeof hint === "string" ? hint : hint(shell);
}

/**
 * Returns the shell of the person. SHELL is set by every Unix, and by Git Bash.
 * Without it, PowerShell is told from cmd.exe by what each gives its children:
 * the person's own modules, or a PROMPT. PowerShell is the default of Windows.
 */
export function personShell(
  environment: Environment,
  system: string,
): PersonShell {
  const named = knownShell(environment["SHELL"] ?? "");
  if (named !== null) return { name: named, system };
  if (system !== "windows") return { name: "sh", system };
  const modules = (environment["PSMODULEPATH"] ?? "").split(";")
    .some((path) => OWN_MODULES.test(path) && !MACHINE_MODULES.test(path));
  const isCmd = !modules && environment["PROMPT"] !== undefined;
  return { name: isCmd ? "cmd" : "powershell", system };
}

/** Returns the shell of that name or path, or null. */
export function knownShell(wanted: string): ShellName | null {
  const base = wanted.split(/[/\\]/).at(-1)?.toLowerCase()
    .replace(/\.exe$/, "") ?? "";
  if (base === "pwsh") return "powershell";
  return SHELLS.find((name) => name === base) ?? null;
}

/**
 * Returns `text` as one word of a command line that every shell reads alike:
 * bare, or in double quotes. Text with characters that mean something between
 * double quotes is in single ones, which cmd.exe does not know.
 */
export function commandWord(text: string): string {
  const shown = inert(text);
  if (/^[\p{L}\p{N}_/][\p{L}\p{N}._/:@+-]*$/u.test(shown)) return shown;
  if (!/["$`\\!%\u201c-\u201e]/.test(shown) && shown !== "") {
    return `"${shown}"`;
  }
  return inSingleQuotes("sh", shown);
}

/** Returns `text` between the quotes of `shell` that keep every character. */
function inSingleQuotes(shell: ShellName, text: string): string {
  switch (shell) {
    case "sh":
    case "bash":
    case "zsh":
      return `'${text.replaceAll("'", `'\\''`)}'`;
    case "fish":
      return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
    case "powershell":
      return `'${text.replace(/['\u2018-\u201b]/g, "$&$&")}'`;
    case "cmd":
      // No name of a file has a quote there.
      return `"${text.replaceAll('"', "")}"`;
  }
}

/** Returns a path as one word for `shell`. */
function pathWord({ name }: PersonShell, path: string): string {
  const isBare = name === "powershell" || name === "cmd"
    ? /^[\w.:/\\-]+$/
    : /^[\w./:@+-]+$/;
  return isBare.test(path) ? path : inSingleQuotes(name, path);
}

/** Whether these are the programs of Windows, and of its own shells. */
function isWindows({ name, system }: PersonShell): boolean {
  return system === "windows" && (name === "powershell" || name === "cmd");
}

/**
 * Returns one line that sets a variable for what the shell starts from now on,
 * or removes it if `value` is null.
 */
export function setVariable(
  { name: shell }: PersonShell,
  name: string,
  value: string | null,
): string {
  switch (shell) {
    case "sh":
    case "bash":
    case "zsh":
      return value === null
        ? `unset ${name}`
        : `export ${name}=${inSingleQuotes(shell, value)}`;
    case "fish":
      return value === null
        ? `set -e ${name}`
        : `set -gx ${name} ${inSingleQuotes(shell, value)}`;
    case "powershell":
      return value === null
        ? `Remove-Item Env:${name} -ErrorAction SilentlyContinue`
        : `$Env:${name} = ${inSingleQuotes(shell, value)}`;
    case "cmd":
      return value === null ? `set "${name}="` : `set "${name}=${value}"`;
  }
}

/** Returns one line that runs `command` with these variables. */
export function withVariables(
  shell: PersonShell,
  variables: Readonly<Record<string, string>>,
  command: string,
): string {
  const entries = Object.entries(variables);
  if (!["powershell", "cmd"].includes(shell.name)) {
    const words = entries.map(([name, value]) =>
      `${name}=${commandWord(value)}`
    );
    return [...words, command].join(" ");
  }
  // PowerShell 5 has no &&.
  const mark = shell.name === "cmd" ? " && " : "; ";
  return [
    ...entries.map(([name, value]) => setVariable(shell, name, value)),
    command,
  ].join(mark);
}

/** Returns one line that runs in this shell what `command` prints. */
export function evaluated({ name }: PersonShell, command: string): string {
  switch (name) {
    case "sh":
    case "bash":
    case "zsh":
      return `eval "$(${command})"`;
    case "fish":
      return `${command} | source`;
    case "powershell":
      return `${command} | Out-String | Invoke-Expression`;
    case "cmd":
      return `for /f "delims=" %i in ('${command}') do @%i`;
  }
}

/** Returns one line that makes `folder` the first on the PATH. */
export function firstOnPath(shell: PersonShell, folder: string): string {
  const word = inSingleQuotes(shell.name, folder);
  switch (shell.name) {
    case "sh":
    case "bash":
    case "zsh":
      return `export PATH=${word}:"$PATH"`;
    case "fish":
      return `set -gx PATH ${word} $PATH`;
    case "powershell":
      return `$Env:PATH = ${word} + '${
        shell.system === "windows" ? ";" : ":"
      }' + $Env:PATH`;
    case "cmd":
      return `set "PATH=${folder};%PATH%"`;
  }
}

/** Returns one line that sets the variable of the home to the user's folder. */
export function setHome(shell: PersonShell): string {
  const { name, system } = shell;
  if (system === "windows") {
    if (name === "cmd") return 'set "USERPROFILE=%HOMEDRIVE%%HOMEPATH%"';
    return name === "powershell"
      ? "$Env:USERPROFILE = [Environment]::GetFolderPath('UserProfile')"
      : 'export USERPROFILE="$(cygpath -w ~)"';
  }
  // Also macOS has it, which has no getent.
  const folder = "eval echo ~$(id -un)";
  if (name === "fish") return `set -gx HOME (sh -c '${folder}')`;
  return name === "powershell"
    ? `$Env:HOME = $(sh -c '${folder}')`
    : `export HOME="$(${folder})"`;
}

/** Returns one line that gives a file or folder the mode, `go-w` or `600`. */
export function setFileMode(
  shell: PersonShell,
  mode: string,
  path: string,
): string {
  const word = pathWord(shell, path);
  if (shell.system !== "windows") return `chmod ${mode} ${word}`;
  const user = shell.name === "powershell"
    ? '"$($Env:USERNAME):F"'
    : shell.name === "cmd"
    ? '"%USERNAME%:F"'
    : '"$USERNAME:F"';
  // Git Bash takes words with one slash for paths of its own.
  const slash = isWindows(shell) ? "/" : "//";
  return `icacls ${word} ${slash}inheritance:r ${slash}grant:r ${user}`;
}

/** Returns the command that shows what is at a path and who owns it. */
export function showFile(shell: PersonShell, path: string): string {
  const word = pathWord(shell, path);
  if (!isWindows(shell)) return `ls -ld ${word}`;
  return shell.name === "cmd"
    ? `dir /a /q ${word}`
    : `Get-Acl ${word} | Format-List`;
}

/** Returns one line that deletes a file. */
export function removeFile(shell: PersonShell, path: string): string {
  const word = pathWord(shell, path);
  if (!isWindows(shell)) return `rm ${word}`;
  return shell.name === "cmd" ? `del ${word}` : `Remove-Item ${word}`;
}

/** Returns one line that ends a process. */
export function endProcess(shell: PersonShell, pid: number): string {
  if (shell.system !== "windows") return `kill ${pid}`;
  const slash = isWindows(shell) ? "/" : "//";
  return `taskkill ${slash}f ${slash}pid ${pid}`;
}

/** Returns one line by which `command` reads `file` as its input. */
export function fromFile(
  { name }: PersonShell,
  command: string,
  file: string,
): string {
  return name === "powershell"
    ? `Get-Content ${file} | ${command}`
    : `${command} <${file}`;
}

/** Returns what lets programs of this shell open `count` files. */
export function moreFiles(
  { name, system }: PersonShell,
  count: number,
): string {
  if (system === "windows") return "End programs that hold many files open";
  return name === "powershell"
    ? `sh -c 'ulimit -n ${count}; exec pwsh'`
    : `ulimit -n ${count}`;
}

/**
 * Returns one line that runs the script which `command` prints for the shell
 * that it is given: bash, zsh, fish or PowerShell.
 */
export function evaluatedScript(shell: PersonShell, command: string): string {
  const name = shell.name === "sh"
    ? "bash"
    : shell.name === "cmd"
    ? "powershell"
    : shell.name;
  return evaluated({ ...shell, name }, `${command} ${name}`);
}
