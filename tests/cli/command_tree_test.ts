/** Each command has its text, its examples, its place in the page and in the scripts. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { type Command, CommanderError } from "@commander-js/extra-typings";
import { COMMAND_NAMES } from "../../src/cli/commands.ts";
import {
  COMMAND_TREE,
  type CommandNode,
} from "../../src/cli/help/command_tree.ts";
import type { Registry } from "../../src/cli/registry.ts";
import { nodeOf, shownChildren } from "../fixtures/command_nodes.ts";
import { ROOT } from "../fixtures/paths.ts";
import { candidates } from "../../src/cli/help/complete.ts";
import {
  COMPLETION_SHELLS,
  completionScript,
} from "../../src/cli/help/completion.ts";
import { manPage, readablePage } from "../../src/cli/help/man.ts";
import { commandTree } from "../../src/cli/root.ts";
import { hintText, MANUAL_SHELL } from "../../src/shell_words.ts";
import { needsLinux } from "../fixtures/skipped.ts";

const KNOWN = {
  accounts: () => Promise.resolve(["work", "home", "höhle"]),
  settings: () => Promise.resolve(["proxy.port", "proxy.host", "upstream"]),
  worked: (on: "project" | "session") =>
    Promise.resolve(on === "project" ? ["tc", "site"] : ["5f2c-a"]),
};

const REGISTRY: Registry = {
  environment: {},
  system: "linux",
  texts: new Map(),
  run: () => async () => {},
};

/** The manual page needs every command, so this is the whole tree. */
function tree(): Promise<Command> {
  return commandTree(REGISTRY, ["man"]);
}

async function names(): Promise<readonly string[]> {
  return shownChildren(await tree()).map((child) => child.name())
    .filter((name) => name !== "help").sort();
}

async function words(...typed: readonly string[]): Promise<readonly string[]> {
  return (await candidates(COMMAND_TREE, typed, KNOWN)).map(({ word }) => word);
}

Deno.test("the words of help and completions are those of the commands", async () => {
  const node = nodeOf(await tree(), REGISTRY.texts);
  const file = `${ROOT}src/cli/help/command_tree.json`;
  if (Deno.env.get("TC_TEST_COMMANDS")) {
    await Deno.writeTextFile(file, JSON.stringify(node, null, 2));
  }
  const words: unknown = JSON.parse(await Deno.readTextFile(file));
  deepStrictEqual(
    words,
    JSON.parse(JSON.stringify(node)),
    "deno task commands",
  );
});

Deno.test("the loader and the tree name the same commands", async () => {
  deepStrictEqual([...COMMAND_NAMES].sort(), await names());
  deepStrictEqual([...REGISTRY.texts.keys()], COMMAND_NAMES);
  for (const { name, aliases } of COMMAND_TREE.commands) {
    for (const alias of aliases) {
      const program = await commandTree(REGISTRY, [alias]);
      deepStrictEqual(program.commands.map((child) => child.name()), [name]);
    }
  }
});

Deno.test("every command has text, examples that name it, and help of 80 columns", async () => {
  const program = await tree();
  for (const text of REGISTRY.texts.values()) {
    const { name, summary, schema } = text;
    const examples = text.examples.map((example) =>
      hintText(example, MANUAL_SHELL)
    );
    ok(summary.length > 10 && !summary.endsWith("."), name);
    ok(examples.length > 0, name);
    const own = new RegExp(`\\btc ${name}\\b`);
    ok(examples.some((example) => own.test(example)), name);
    const command = program.commands.find((child) => child.name() === name);
    const help = command?.helpInformation() ?? "";
    for (const example of examples) ok(help.includes(example), example);
    for (const line of help.split("\n")) {
      ok(line.length <= 80 || /^ {2}tc /.test(line), `${name}: ${line}`);
    }
    if (schema !== null) {
      match(schema, /^tc\.[a-z_]+\/v\d+$/);
      const json = [
        ...command?.options ?? [],
        ...command?.commands.flatMap((child) => child.options) ?? [],
      ]
        .some(({ long }) => long === "--json");
      ok(json, `${name} has a schema and no --json`);
    }
  }
});

Deno.test("options before the command apply to the command", async () => {
  const seen: unknown[] = [];
  const program = await commandTree({
    environment: {},
    system: "linux",
    texts: new Map(),
    run: () => (...given) => Promise.resolve(void seen.push(given.at(-2))),
  }, ["accounts"]);
  await program.parseAsync(["--json", "--color", "never", "accounts"], {
    from: "user",
  });
  deepStrictEqual(seen, [{ json: true, color: "never" }]);
});

Deno.test("the manual page names every command, option and exit code", async () => {
  const page = manPage(await tree(), REGISTRY.texts, {
    version: "1.2.3",
    date: "2026-11-21",
  });
  for (const name of await names()) ok(page.includes(`.SS "tc ${name}"`), name);
  for (const child of shownChildren(await tree())) {
    for (const { long, hidden } of child.options) {
      if (long && !hidden) ok(page.includes(long.replaceAll("-", "\\-")), long);
    }
  }
  match(page, /\.B 78\n/);
  ok(!page.includes("__complete"));
});

Deno.test("on a terminal the manual page is text without macros, as wide as the terminal", async () => {
  const page = manPage(await tree(), REGISTRY.texts, {
    version: "1.2.3",
    date: "2026-11-21",
  });
  for (const width of [60, 80, 300]) {
    const lines = readablePage(page, width).split("\n");
    for (const name of await names()) {
      ok(lines.includes(`   tc ${name}`), name);
    }
    ok(lines.every((line) => !/^\.|\\-|\\e|\\&/.test(line)));
    // Examples are literal and options are one word.
    const long = lines.filter((line) => line.length > Math.min(width, 100));
    ok(long.length < lines.length / 20, long.join("\n"));
  }
});

Deno.test({
  name: "man reads the page without a warning",
  ignore: needsLinux("man"),
  fn: async () => {
    const file = await Deno.makeTempFile({ suffix: ".1" });
    await Deno.writeTextFile(
      file,
      manPage(await tree(), REGISTRY.texts, {
        version: "1.2.3",
        date: "2026-11-21",
      }),
    );
    const { success, stdout, stderr } = await new Deno.Command("man", {
      args: ["--warnings", "-l", file],
      env: { MANWIDTH: "80", LC_ALL: "C.UTF-8" },
    }).output();
    await Deno.remove(file);
    strictEqual(new TextDecoder().decode(stderr), "");
    ok(success);
    match(new TextDecoder().decode(stdout), /tc doctor/);
  },
});

Deno.test("candidates() names commands, subcommands, options and values", async () => {
  deepStrictEqual(await words("doc"), ["doctor"]);
  deepStrictEqual(await words("service", "un"), ["uninstall"]);
  ok((await words("doctor", "--")).includes("--fix"));
  deepStrictEqual(await words("remove", ""), ["work", "home", "höhle"]);
  deepStrictEqual(await words("run", "--account", "h"), ["home", "höhle"]);
  deepStrictEqual(await words("config", "set", "proxy."), [
    "proxy.port",
    "proxy.host",
  ]);
  deepStrictEqual(await words("report", "day", "--project", "s"), ["site"]);
  deepStrictEqual(await words("report", "--session", ""), ["5f2c-a"]);
  deepStrictEqual(await words("completion", "z"), ["zsh"]);
  deepStrictEqual(await words("run", "--", "--con"), []);
  ok(!(await words("")).includes("__complete"));
});

const CHECKS: Readonly<Record<string, readonly string[]>> = {
  bash: ["bash", "-n"],
  zsh: ["zsh", "-n"],
  fish: ["fish", "--no-execute"],
};

Deno.test("each completion script is valid in its shell", async () => {
  for (const shell of COMPLETION_SHELLS) {
    const script = completionScript(shell);
    ok(script.includes("tc __complete --"), shell);
    const [program = "", ...args] = CHECKS[shell] ?? [];
    if (program === "") continue;
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, script);
    try {
      const { success, stderr } = await new Deno.Command(program, {
        args: [...args, file],
      }).output();
      ok(success, new TextDecoder().decode(stderr));
    } catch (cause) {
      // A shell that is not here cannot judge.
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    } finally {
      await Deno.remove(file);
    }
  }
});

/** The words that name each command below `node`, and the command. */
function walked(
  node: CommandNode,
  path: readonly string[] = [],
): readonly (readonly [path: readonly string[], node: CommandNode])[] {
  return node.commands.flatMap((child) => {
    const own = [...path, child.name];
    return [[own, child] as const, ...walked(child, own)];
  });
}

/** Runs one line in the tree. Returns the refusal, and whether it acted. */
async function refusalOf(args: readonly string[]) {
  let hasActed = false;
  const registry: Registry = {
    ...REGISTRY,
    texts: new Map(),
    run: () => () => {
      hasActed = true;
      return Promise.resolve();
    },
  };
  try {
    await (await commandTree(registry, args)).parseAsync([...args], {
      from: "user",
    });
  } catch (cause) {
    if (cause instanceof CommanderError) {
      return { code: cause.code, message: cause.message, hasActed };
    }
    throw cause;
  }
  return { code: "", message: "", hasActed };
}

Deno.test("every command refuses one argument too many, and does nothing", async () => {
  const commands = walked(COMMAND_TREE).filter(([, node]) =>
    node.name !== "help" &&
    !node.arguments.some(({ isVariadic }) => isVariadic)
  );
  ok(commands.length > 70, String(commands.length));
  for (const [path, { arguments: own }] of commands) {
    const given = own.map(() => "1");
    let refusal = await refusalOf([...path, ...given, "more"]);
    // An argument with choices takes the first of them.
    const [, choice] = /Allowed choices are ([\w-]+)/.exec(refusal.message) ??
      [];
    if (choice !== undefined) {
      given[0] = choice;
      refusal = await refusalOf([...path, ...given, "more"]);
    }
    match(
      refusal.code,
      /^commander\.(excessArguments|unknownCommand)$/,
      `${path.join(" ")}: ${refusal.message}`,
    );
    strictEqual(refusal.hasActed, false, path.join(" "));
  }
});
