/**
 * Commands that tc suggests, for each shell and system; where the shell is
 * installed it runs them.
 */

import "./fixtures/clean_environment.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import {
  commandWord,
  endProcess,
  evaluated,
  evaluatedScript,
  firstOnPath,
  fromFile,
  moreFiles,
  type PersonShell,
  personShell,
  removeFile,
  setFileMode,
  setHome,
  setVariable,
  SHELLS,
  showFile,
  withVariables,
} from "../src/shell_words.ts";
import { cleanVariables, tcCommand } from "./fixtures/tc_process.ts";
import { TempFolder } from "./fixtures/temp_folder.ts";
import { needs } from "./fixtures/skipped.ts";

const OWN = "C:\\Users\\ada\\Documents\\WindowsPowerShell\\Modules";
const OWN_7 = "C:\\Users\\ada\\Documents\\PowerShell\\Modules";
const MACHINE = "C:\\Program Files\\WindowsPowerShell\\Modules;" +
  "C:\\Windows\\system32\\WindowsPowerShell\\v1.0\\Modules";

Deno.test("personShell() names the shell by what it gives its children", () => {
  for (
    const [system, environment, name] of [
      ["linux", { SHELL: "/bin/zsh" }, "zsh"],
      ["linux", { SHELL: "/usr/bin/pwsh" }, "powershell"],
      ["linux", { SHELL: "/opt/odd" }, "sh"],
      ["linux", {}, "sh"],
      // Only Windows has that shell.
      ["linux", { PROMPT: "$P$G" }, "sh"],
      ["darwin", { SHELL: "/opt/homebrew/bin/fish" }, "fish"],
      ["darwin", {}, "sh"],
      ["windows", { SHELL: "/usr/bin/bash" }, "bash"],
      ["windows", { SHELL: "C:\\Git\\usr\\bin\\bash.exe" }, "bash"],
      ["windows", {}, "powershell"],
      ["windows", { PSMODULEPATH: MACHINE }, "powershell"],
      ["windows", { PSMODULEPATH: MACHINE, PROMPT: "$P$G" }, "cmd"],
      ["windows", { PSMODULEPATH: `${OWN};${MACHINE}` }, "powershell"],
      // PowerShell that was started from cmd.exe.
      ["windows", {
        PSMODULEPATH: `${OWN_7};${MACHINE}`,
        PROMPT: "$P$G",
      }, "powershell"],
    ] as const
  ) {
    deepStrictEqual(personShell(environment, system), { name, system });
  }
});

interface Row {
  readonly system: string;
  readonly unset: string;
  readonly set: string;
  readonly evaluate: string;
  readonly once: string;
  readonly path: string;
  readonly mode: string;
  readonly show: string;
  readonly remove: string;
  readonly end: string;
  readonly input: string;
}

const POSIX = {
  system: "linux",
  unset: "unset A_B",
  set: "export A_B='it'\\''s'",
  evaluate: 'eval "$(tc env)"',
  once: "TC_PROXY_PORT=3460 tc run",
  path: "export PATH='/opt/a b':\"$PATH\"",
  mode: "chmod go-w '/home/a b/x'",
  show: "ls -ld '/home/a b/x'",
  remove: "rm '/home/a b/x'",
  end: "kill 7",
  input: "tc login <FILE",
};

const ROWS: Readonly<Record<string, Row>> = {
  sh: POSIX,
  bash: POSIX,
  zsh: { ...POSIX, system: "darwin" },
  fish: {
    ...POSIX,
    unset: "set -e A_B",
    set: "set -gx A_B 'it\\'s'",
    evaluate: "tc env | source",
    path: "set -gx PATH '/opt/a b' $PATH",
  },
  powershell: {
    system: "windows",
    unset: "Remove-Item Env:A_B -ErrorAction SilentlyContinue",
    set: "$Env:A_B = 'it''s'",
    evaluate: "tc env | Out-String | Invoke-Expression",
    once: "$Env:TC_PROXY_PORT = '3460'; tc run",
    path: "$Env:PATH = 'C:\\a b' + ';' + $Env:PATH",
    mode: "icacls 'C:\\a b\\x' /inheritance:r /grant:r \"$($Env:USERNAME):F\"",
    show: "Get-Acl 'C:\\a b\\x' | Format-List",
    remove: "Remove-Item 'C:\\a b\\x'",
    end: "taskkill /f /pid 7",
    input: "Get-Content FILE | tc login",
  },
  cmd: {
    system: "windows",
    unset: 'set "A_B="',
    set: 'set "A_B=it\'s"',
    evaluate: "for /f \"delims=\" %i in ('tc env') do @%i",
    once: 'set "TC_PROXY_PORT=3460" && tc run',
    path: 'set "PATH=C:\\a b;%PATH%"',
    mode: 'icacls "C:\\a b\\x" /inheritance:r /grant:r "%USERNAME%:F"',
    show: 'dir /a /q "C:\\a b\\x"',
    remove: 'del "C:\\a b\\x"',
    end: "taskkill /f /pid 7",
    input: "tc login <FILE",
  },
};

Deno.test("every command is written for each shell", () => {
  for (const name of SHELLS) {
    const row = ROWS[name];
    ok(row !== undefined, name);
    const shell = { name, system: row.system };
    const [folder, file] = row.system === "windows"
      ? ["C:\\a b", "C:\\a b\\x"]
      : ["/opt/a b", "/home/a b/x"];
    deepStrictEqual(
      {
        system: row.system,
        unset: setVariable(shell, "A_B", null),
        set: setVariable(shell, "A_B", "it's"),
        evaluate: evaluated(shell, "tc env"),
        once: withVariables(shell, { TC_PROXY_PORT: "3460" }, "tc run"),
        path: firstOnPath(shell, folder),
        mode: setFileMode(shell, "go-w", file),
        show: showFile(shell, file),
        remove: removeFile(shell, file),
        end: endProcess(shell, 7),
        input: fromFile(shell, "tc login", "FILE"),
      },
      row,
      name,
    );
  }
});

Deno.test("Git Bash has the programs of Unix, and the processes of Windows", () => {
  const shell = { name: "bash", system: "windows" } as const;
  strictEqual(showFile(shell, "C:\\a b"), "ls -ld 'C:\\a b'");
  strictEqual(endProcess(shell, 7), "taskkill //f //pid 7");
  strictEqual(
    setFileMode(shell, "600", "C:\\x"),
    "icacls 'C:\\x' //inheritance:r //grant:r \"$USERNAME:F\"",
  );
});

Deno.test("PowerShell on Linux has the programs of Linux", () => {
  const shell = { name: "powershell", system: "linux" } as const;
  strictEqual(showFile(shell, "/a b"), "ls -ld '/a b'");
  strictEqual(endProcess(shell, 7), "kill 7");
  strictEqual(firstOnPath(shell, "/a"), "$Env:PATH = '/a' + ':' + $Env:PATH");
});

Deno.test("a script is for a shell that tc writes scripts for", () => {
  const command = (name: PersonShell["name"]) =>
    evaluatedScript({ name, system: "windows" }, "tc completion");
  strictEqual(command("sh"), 'eval "$(tc completion bash)"');
  strictEqual(command("fish"), "tc completion fish | source");
  strictEqual(
    command("cmd"),
    "tc completion powershell | Out-String | Invoke-Expression",
  );
});

/** Names of accounts that people have, and what they must not become. */
const NAMES = [
  "work",
  "ada@example.com",
  "Ada Lovelace",
  "Ada's own",
  "-rf",
  "@work",
  "höhle",
  "a;b",
  "a&b",
  "#1",
  "$HOME",
  "50 %",
  'say "hi"',
  "a`id`",
  "back\\slash",
  "o'$x",
  "*",
  "~",
  "(x)",
];

Deno.test("commandWord() needs no shell's rules for plain names", () => {
  strictEqual(commandWord("work"), "work");
  strictEqual(commandWord("ada@example.com"), "ada@example.com");
  strictEqual(commandWord("Ada Lovelace"), '"Ada Lovelace"');
  strictEqual(commandWord("Ada's own"), '"Ada\'s own"');
  strictEqual(commandWord("@work"), '"@work"');
  strictEqual(commandWord("$HOME"), "'$HOME'");
  strictEqual(commandWord("a\u001b[31m\u202eb"), '"a[31mb"');
});

Deno.test("tc speaks to the shell that it was typed in", async () => {
  await using home = new TempFolder();
  for (
    const [shell, example, hint] of [
      ["/bin/bash", 'eval "$(tc env)"', "unset HTTPS_PROXY"],
      ["/usr/bin/fish", "tc env | source", "set -e HTTPS_PROXY"],
      [
        "/usr/bin/pwsh",
        "tc env | Out-String | Invoke-Expression",
        "Remove-Item Env:HTTPS_PROXY -ErrorAction SilentlyContinue",
      ],
    ] as const
  ) {
    const env = {
      ...cleanVariables(home.path),
      SHELL: shell,
      HTTPS_PROXY: "http://[",
    };
    const [program, ...args] = tcCommand();
    const run = async (...words: readonly string[]) => {
      const { stdout, stderr } = await new Deno.Command(program, {
        args: [...args, ...words],
        env,
        clearEnv: true,
        stdin: "null",
      }).output();
      const decoder = new TextDecoder();
      return decoder.decode(stdout) + decoder.decode(stderr);
    };
    const help = await run("env", "--help");
    ok(help.includes(`\n  ${example}\n`), help);
    const findings = await run("doctor", "--json");
    ok(findings.includes(`"fix":"${hint}"`), findings);
  }
});

async function exists(program: string): Promise<boolean> {
  const find = new Deno.Command("which", { args: [program], stdout: "null" });
  return await find.output().then(({ success }) => success, () => false);
}

for (const name of ["sh", "bash", "zsh", "fish"] as const) {
  const system = Deno.build.os;
  Deno.test({
    name: `${name} runs what is suggested to it`,
    ignore: needs("scripts") || !await exists(name),
    async fn() {
      await using folder = new TempFolder();
      const shell = { name, system };
      const run = async (line: string) => {
        const { stdout, stderr, success } = await new Deno.Command(name, {
          args: ["-c", line],
          cwd: folder.path,
          env: { PATH: Deno.env.get("PATH") ?? "" },
          clearEnv: true,
        }).output();
        const decoder = new TextDecoder();
        ok(success, `${line}: ${decoder.decode(stderr)}`);
        return decoder.decode(stdout).trim();
      };
      for (const value of NAMES) {
        if (name === "fish" && value.includes("\\")) continue;
        strictEqual(await run(`printf %s ${commandWord(value)}`), value);
        const set = setVariable(shell, "TC_TEST", value);
        strictEqual(await run(`${set}; printenv TC_TEST`), value);
        strictEqual(
          await run(
            withVariables(shell, { TC_TEST: value }, "printenv TC_TEST"),
          ),
          value,
        );
      }
      const unset = setVariable(shell, "TC_TEST", null);
      const set = setVariable(shell, "TC_TEST", "1");
      strictEqual(
        await run(`${set}; ${unset}; env | grep -c TC_TEST; true`),
        "0",
      );
      strictEqual(await run(evaluated(shell, "echo echo hi")), "hi");
      const path = folder.join("it's $x");
      await Deno.mkdir(path);
      ok((await run(`${firstOnPath(shell, path)}; env`)).includes(`${path}:`));
      await run(setFileMode(shell, "700", path));
      strictEqual(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o700);
      ok((await run(showFile(shell, path))).endsWith(path));
      const file = `${path}/a b`;
      await Deno.writeTextFile(file, "key");
      await run(removeFile(shell, file));
      const left = await Array.fromAsync(Deno.readDir(path));
      strictEqual(left.length, 0);
      await Deno.writeTextFile(folder.join("key.txt"), "key");
      strictEqual(await run(fromFile(shell, "cat", "key.txt")), "key");
      strictEqual(await run(`${moreFiles(shell, 99)}; ulimit -n`), "99");
      const { HOME } = Deno.env.toObject();
      const home = await run(`${setHome(shell)}; printenv HOME`);
      ok(home.startsWith("/"), `${home} (${HOME})`);
    },
  });
}
