/**
 * The shell by which Claude Code runs the lines of its settings (2.1.329): a
 * POSIX one, on Windows Git Bash, or PowerShell where there is none.
 *
 * @module
 */

import type { Environment } from "../variables.ts";

/** The command that runs a line. */
export type ClientShell = (line: string) => readonly [string, ...string[]];

interface ClientShellFacts {
  readonly system: string;
  readonly environment: Environment;
  readonly isFile: (path: string) => boolean;
}

const GIT_BASH = ["\\Git\\bin\\bash.exe", "\\Git\\usr\\bin\\bash.exe"];
const POWERSHELL = "System32\\WindowsPowerShell\\v1.0\\powershell.exe";

/** Variables that {@linkcode clientShell} looks at. */
export const CLIENT_SHELL_VARIABLES = [
  "CLAUDE_CODE_GIT_BASH_PATH",
  "SHELL",
  "PROGRAMFILES",
  "PROGRAMFILES(X86)",
  "LOCALAPPDATA",
  "SYSTEMROOT",
] as const;

/** Returns how the client of this machine runs a line of its settings. */
export function clientShell(facts: ClientShellFacts): ClientShell {
  if (facts.system !== "windows") return (line) => ["sh", "-c", line];
  const bash = gitBash(facts);
  if (bash !== null) return (line) => [bash, "-c", line];
  const root = facts.environment["SYSTEMROOT"] || "C:\\Windows";
  return (line) => [
    `${root}\\${POWERSHELL}`,
    "-NoProfile",
    "-NonInteractive",
    "-Command",
    line,
  ];
}

/** Where the client looks, in its order; it sets SHELL for what it starts. */
function gitBash(
  { environment, isFile }: ClientShellFacts,
): string | null {
  const named = [environment["CLAUDE_CODE_GIT_BASH_PATH"], environment["SHELL"]]
    .filter((path) => /(^|[\\/])(ba)?sh(\.exe)?$/i.test(path ?? ""));
  const local = environment["LOCALAPPDATA"];
  const folders = [
    environment["PROGRAMFILES"] ?? "C:\\Program Files",
    environment["PROGRAMFILES(X86)"] ?? "C:\\Program Files (x86)",
    ...local === undefined ? [] : [`${local}\\Programs`],
  ];
  const candidates = [
    ...named,
    ...folders.flatMap((folder) => GIT_BASH.map((below) => folder + below)),
  ];
  return candidates.find((path) => path !== undefined && isFile(path)) ?? null;
}
