/**
 * The written pages: every command in them exists with its options, every link
 * leads somewhere, and blocks marked `sh run` run.
 */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { dirname, join, normalize } from "node:path";
import {
  COMMAND_TREE,
  type CommandNode,
} from "../../src/cli/help/command_tree.ts";
import { settingRows } from "../../src/config/settings.ts";
import { ROOT } from "../fixtures/paths.ts";
import { cleanVariables, tcCommand } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { needs } from "../fixtures/skipped.ts";

function* pages(folder = ""): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(`${ROOT}${folder}`)) {
    const path = `${folder}${name}`;
    if (
      isDirectory && ["docs", ".github", "decisions", "tests"].includes(name)
    ) {
      yield* pages(`${path}/`);
    } else if (name.endsWith(".md") && name !== "CHANGELOG.md") yield path;
  }
}

function read(path: string): string {
  return Deno.readTextFileSync(`${ROOT}${path}`);
}

/** Command lines of `text`: lines of fenced blocks, and inline code. */
function* commandLines(text: string): Generator<string> {
  for (
    const [, block = ""] of text.matchAll(
      /```(?:sh|text)[^\n]*\n([\s\S]*?)```/g,
    )
  ) {
    for (const line of block.split("\n")) {
      if (/^(eval "\$\()?tc( |$)/.test(line)) {
        yield line.replace(/^eval "\$\(/, "");
      }
    }
  }
  const prose = text.replace(/```[\s\S]*?```/g, "");
  for (const [, code = ""] of prose.matchAll(/`(tc [^`]+)`/g)) {
    yield code.replace(/\s+/g, " ");
  }
}

/** Placeholders and shell syntax end what can be checked of a line. */
function wordsOf(line: string): readonly string[] {
  const bare = line.replace(/\s+#.*$| {3,}.*$/, "").split(/[;|<>)"]|&&/)[0] ??
    "";
  return bare.trim().split(/\s+/).slice(1);
}

/** Returns why `words` are not a command line of tc, or null. */
function fault(words: readonly string[]): string | null {
  const [first] = words;
  if (first === undefined || first.startsWith("-")) return null;
  // A version banner or a path is not a command line.
  if (/^[<…/]|^v?\d/.test(first)) return null;
  let node: CommandNode = COMMAND_TREE;
  let index = 0;
  for (; index < words.length; index++) {
    const word = words[index] ?? "";
    const child = node.commands.find(({ name, aliases }) =>
      name === word || aliases.includes(word)
    );
    if (child === undefined) break;
    node = child;
  }
  if (node === COMMAND_TREE) return `no command ${first}`;
  if (node.name === "run" || node.name === "help") return null;
  for (const word of words.slice(index)) {
    if (word === "--") break;
    if (!word.startsWith("-")) continue;
    const name = word.split("=")[0] ?? word;
    const isKnown = [...node.options, ...COMMAND_TREE.options].some((
      { flags },
    ) => flags.split(/[ ,|]+/).includes(name));
    if (!isKnown) return `no option ${name}`;
  }
  const given = words.slice(index).filter((word) => !word.startsWith("-"));
  const isGroup = node.commands.some(({ name }) => name !== "help");
  if (isGroup && node.arguments.length === 0 && given.length > 0) {
    return `no command ${given[0]}`;
  }
  return null;
}

Deno.test("every command in the pages exists, with its options", () => {
  const faults: string[] = [];
  let checked = 0;
  for (const page of pages()) {
    for (const line of commandLines(read(page))) {
      checked++;
      const why = fault(wordsOf(line));
      if (why !== null) faults.push(`${page}: ${line}: ${why}`);
    }
  }
  deepStrictEqual(faults, []);
  ok(checked > 200, `only ${checked} command lines were found`);
});

Deno.test("the check of command lines sees what is wrong", () => {
  strictEqual(fault(["stats"]), "no command stats");
  strictEqual(fault(["status", "--jsonl"]), "no option --jsonl");
  strictEqual(fault(["config", "sett", "a"]), "no command sett");
  strictEqual(fault(["run", "--continue"]), null);
  strictEqual(fault(wordsOf("tc swap auto --if-needed   # a word")), null);
});

Deno.test("every setting that a page sets exists", () => {
  const keys = settingRows().map(({ key }) => key);
  const unknown: string[] = [];
  for (const page of pages()) {
    for (const line of commandLines(read(page))) {
      const [, key] = /^tc config (?:set|get|unset) (\S+)/.exec(line) ?? [];
      if (key !== undefined && key !== "KEY" && !keys.includes(key)) {
        unknown.push(`${page}: ${key}`);
      }
    }
  }
  deepStrictEqual(unknown, []);
});

Deno.test("every link of the pages leads to a file of the project", () => {
  const dead: string[] = [];
  for (const page of pages()) {
    for (const [, target = ""] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?:|#|mailto:)/.test(target)) continue;
      const file = normalize(join(dirname(page), target.split("#")[0] ?? ""));
      try {
        Deno.statSync(`${ROOT}${file}`);
      } catch {
        dead.push(`${page}: ${target}`);
      }
    }
  }
  deepStrictEqual(dead, []);
});

Deno.test("every test and source file that a page names is there", () => {
  const gone: string[] = [];
  for (const page of pages()) {
    const named = read(page).matchAll(/`((?:src|tests)\/[\w./-]*\w)`/g);
    for (const [, path = ""] of named) {
      try {
        Deno.statSync(`${ROOT}${path}`);
      } catch {
        gone.push(`${page}: ${path}`);
      }
    }
  }
  deepStrictEqual(gone, []);
});

for (const page of pages()) {
  const blocks = [...read(page).matchAll(/```sh run\n([\s\S]*?)```/g)];
  for (const [number, [, block = ""]] of blocks.entries()) {
    Deno.test({
      name: `${page}: block ${number + 1} runs in a new home`,
      ignore: needs("scripts"),
      fn: async () => {
        await using folder = new TempFolder();
        const [program, ...first] = tcCommand();
        const bin = folder.join("bin");
        await Deno.mkdir(bin);
        const words = [program, ...first].map((word) => `'${word}'`).join(" ");
        await Deno.writeTextFile(
          join(bin, "tc"),
          `#!/bin/sh\nexec ${words} "$@"\n`,
          { mode: 0o755 },
        );
        const variables = cleanVariables(folder.path);
        const { code, stdout, stderr } = await new Deno.Command("sh", {
          args: ["-e", "-c", block],
          cwd: folder.path,
          clearEnv: true,
          env: { ...variables, PATH: `${bin}:${variables["PATH"] ?? ""}` },
          stdin: "null",
        }).output();
        const said = new TextDecoder().decode(stdout) +
          new TextDecoder().decode(stderr);
        strictEqual(code, 0, said);
      },
    });
  }
}
