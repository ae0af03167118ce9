/** The shell that runs a line of the client's settings, on each system. */

import { deepStrictEqual } from "node:assert/strict";
import { clientShell } from "../../src/claude/client_shell.ts";

const LINE = 'echo "a b" && ~/.claude/line.sh';
const GIT = "C:\\Program Files\\Git\\bin\\bash.exe";
const OWN = "D:\\tools\\bash.exe";
const POWERSHELL = [
  "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
  "-NoProfile",
  "-NonInteractive",
  "-Command",
  LINE,
];

for (
  const [system, environment, there, command] of [
    ["linux", { SHELL: "/bin/fish" }, ["/bin/fish"], ["sh", "-c", LINE]],
    ["darwin", {}, [], ["sh", "-c", LINE]],
    ["windows", {}, [GIT], [GIT, "-c", LINE]],
    ["windows", { SHELL: OWN }, [GIT, OWN], [OWN, "-c", LINE]],
    [
      "windows",
      { CLAUDE_CODE_GIT_BASH_PATH: OWN },
      [GIT, OWN],
      [OWN, "-c", LINE],
    ],
    ["windows", { SHELL: OWN }, [], POWERSHELL],
    ["windows", { SHELL: "C:\\pwsh.exe" }, ["C:\\pwsh.exe"], POWERSHELL],
  ] as const
) {
  Deno.test(`${system} with ${Deno.inspect(environment)} and ${there}`, () => {
    const shell = clientShell({
      system,
      environment,
      isFile: (path) => (there as readonly string[]).includes(path),
    });
    deepStrictEqual(shell(LINE), command);
  });
}
