/** The rules of the house that neither the compiler nor the linter knows. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { ROOT } from "./fixtures/paths.ts";
import {
  NOT_ON_WINDOWS,
  ONLY_ON_LINUX,
  ONLY_ON_WINDOWS,
} from "./fixtures/skipped.ts";
import rooms, {
  importFault,
  MAY_IMPORT,
  roomOf,
} from "../.github/lint/rooms.ts";

/** They look for a program or an ability, and the system is one part of it. */
const MAY_LOOK: readonly string[] = [];

const FILE_LINES_MAX = 500;
const FOLDER_FILES_MAX = 15;
const COLUMNS_MAX = 100;
const TOP_LEVEL = [
  ".ci",
  ".claude-plugin",
  ".git",
  ".gitattributes",
  ".github",
  "CHANGELOG.md",
  "LICENSE",
  "README.md",
  "deno.json",
  "deno.lock",
  "dist",
  "docs",
  "main.ts",
  "src",
  "tests",
];
/** Words with a better one in docs/architecture.md. */
const BANNED_WORDS =
  /\b(current account|rotat(e|ing) accounts|banned until)\b/i;

function* sources(folder: string): Generator<string> {
  for (const entry of Deno.readDirSync(`${ROOT}${folder}`)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory && entry.name !== "__snapshots__") {
      yield* sources(path);
    } else if (/\.tsx?$/.test(entry.name)) yield path;
  }
}

function read(path: string): string {
  return Deno.readTextFileSync(`${ROOT}${path}`);
}

const IMPORT =
  /(?:from|import|import\()\s*"(\.[^"]+)"|new URL\(\s*"(\.[^"]+\.ts)",\s*import\.meta\.url/g;

/** Which source file imports which; a worker's file counts as imported. */
function importGraph(): Map<string, string[]> {
  const graph = new Map<string, string[]>();
  for (const path of ["main.ts", ...sources("src")]) {
    const targets = [...read(path).matchAll(IMPORT)].map((match) => {
      const target = match[1] ?? match[2] ?? "";
      return new URL(target, `file:///${path}`).pathname.slice(1);
    });
    graph.set(path, [...new Set(targets)]);
  }
  return graph;
}

/** The first cycle found in `graph`, or null. */
function findCycle(
  graph: ReadonlyMap<string, readonly string[]>,
): string[] | null {
  const done = new Set<string>();
  function visit(node: string, path: readonly string[]): string[] | null {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (done.has(node)) return null;
    for (const target of graph.get(node) ?? []) {
      const cycle = visit(target, [...path, node]);
      if (cycle !== null) return cycle;
    }
    done.add(node);
    return null;
  }
  for (const node of graph.keys()) {
    const cycle = visit(node, []);
    if (cycle !== null) return cycle;
  }
  return null;
}

Deno.test("no source file is over 500 lines", () => {
  const long = [...sources("src")]
    .map((path) => [path, read(path).split("\n").length - 1] as const)
    .filter(([, lines]) => lines > FILE_LINES_MAX);
  deepStrictEqual(long, []);
});

Deno.test("no folder of src holds more than 15 files", () => {
  const counts = new Map<string, number>();
  for (const path of sources("src")) {
    const folder = path.slice(0, path.lastIndexOf("/"));
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  const full = [...counts].filter(([, count]) => count > FOLDER_FILES_MAX);
  deepStrictEqual(full, []);
});

Deno.test("no line of source is over 100 columns, strings apart", () => {
  const wide: string[] = [];
  for (const path of sources("src")) {
    read(path).split("\n").forEach((line, index) => {
      const bare = line.replace(/(["'`]).*\1/g, "").replace(
        /\/\/ .*https?:.*/,
        "",
      );
      if (bare.length > COLUMNS_MAX) wide.push(`${path}:${index + 1}`);
    });
  }
  deepStrictEqual(wide, []);
});

Deno.test("every source file opens with what it does", () => {
  const silent = [...sources("src")].filter((path) =>
    !read(path).startsWith("/**")
  );
  deepStrictEqual(silent, []);
});

Deno.test("no TODO and no banned word", () => {
  const found: string[] = [];
  for (const path of sources("src")) {
    const text = read(path);
    if (/\b(TODO|FIXME|XXX)\b(?!\(#\d+\))/.test(text)) {
      found.push(`${path}: TODO`);
    }
    const word = BANNED_WORDS.exec(text)?.[0];
    if (word !== undefined) found.push(`${path}: ${word}`);
  }
  deepStrictEqual(found, []);
});

Deno.test("the top level holds what it may and nothing else", () => {
  const extra = [...Deno.readDirSync(ROOT)].map((entry) => entry.name)
    .filter((name) => !TOP_LEVEL.includes(name));
  deepStrictEqual(extra, []);
});

Deno.test("the import graph has no cycle", () => {
  strictEqual(findCycle(importGraph()), null);
});

Deno.test("every source file is reached from main.ts, or from the page's script", () => {
  const graph = importGraph();
  const reached = new Set<string>();
  const open = ["main.ts", "src/page/main.tsx"];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    open.push(...graph.get(path) ?? []);
  }
  deepStrictEqual([...graph.keys()].filter((path) => !reached.has(path)), []);
});

/** The room of a file of the import graph, which is relative to the root. */
function room(path: string): string | null {
  return roomOf(`${ROOT}${path}`);
}

Deno.test("every right to import that a room has is used by a file of it", () => {
  const used = new Set(
    [...importGraph()].flatMap(([path, targets]) =>
      targets.map((target) => `${room(path)} -> ${room(target)}`)
    ),
  );
  const unused = Object.entries(MAY_IMPORT)
    .flatMap(([from, targets]) => targets.map((to) => `${from} -> ${to}`))
    .filter((right) => !used.has(right));
  deepStrictEqual(unused, []);
});

const EXPORT =
  /^export (?:(?:abstract|async|declare) )*(?:function\*?|class|const|interface|type|enum) ([\w$]+)/gm;

/** Returns whether `text` has the word `name` at least `count` times. */
function has(text: string, name: string, count = 1): boolean {
  const word = new RegExp(`\\b${name.replaceAll("$", "\\$")}\\b`, "g");
  return [...text.matchAll(word)].length >= count;
}

/** For each source file, the files of `paths` that import it. */
function importersAmong(
  paths: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const importers = new Map<string, string[]>();
  for (const path of paths) {
    for (const match of read(path).matchAll(IMPORT)) {
      const target = match[1] ?? match[2] ?? "";
      const file = new URL(target, `file:///${path}`).pathname.slice(1);
      importers.set(file, [...importers.get(file) ?? [], path]);
    }
  }
  return importers;
}

Deno.test("every export of src has a user in src", () => {
  const files = ["main.ts", ...sources("src")];
  const texts = new Map(
    [...files, ...sources("tests")].map((path) => [path, read(path)]),
  );
  const inSource = importersAmong(files);
  const inTests = importersAmong([
    ...sources("tests"),
    ".github/lint/rooms.ts",
  ]);
  /** Files that get at the names of `path`, also by way of `export *`. */
  function usersOf(path: string): readonly string[] {
    return (inSource.get(path) ?? []).flatMap((user) => {
      const isPassedOn = /^export (type )?\* from/m.test(texts.get(user) ?? "");
      return isPassedOn ? [user, ...usersOf(user)] : [user];
    });
  }
  const dead: string[] = [];
  for (const path of files) {
    const own = texts.get(path) ?? "";
    for (const [, name = ""] of own.matchAll(EXPORT)) {
      const isUsed = usersOf(path).some((user) =>
        has(texts.get(user) ?? "", name)
      );
      // Exported for its test, and used where it stands.
      const isTested = has(own, name, 2) &&
        (inTests.get(path) ?? []).some((user) =>
          has(texts.get(user) ?? "", name)
        );
      if (!isUsed && !isTested) dead.push(`${path}: ${name}`);
    }
  }
  deepStrictEqual(dead, []);
});

Deno.test("the rooms have no cycle", () => {
  strictEqual(findCycle(new Map(Object.entries(MAY_IMPORT))), null);
});

Deno.test("every room in src has its row in the lint plugin and in the docs", () => {
  const docs = read("docs/architecture.md");
  for (const entry of Deno.readDirSync(`${ROOT}src`)) {
    if (!entry.isDirectory) continue;
    ok(entry.name in MAY_IMPORT, `${entry.name} is missing in MAY_IMPORT`);
  }
  for (const room of Object.keys(MAY_IMPORT)) {
    ok(docs.includes(`| \`${room}\``), `${room} is missing in the docs`);
  }
});

Deno.test("docs/architecture.md says of each room what the linter allows", () => {
  const rows = new Map<string, string[]>();
  const [, rooms = ""] = read("docs/architecture.md").split("## The rooms");
  for (const line of rooms.split("\n## ")[0]?.split("\n") ?? []) {
    const row = /^\| `([a-z/]+)` +\| ([^|]*) \|/.exec(line);
    if (row?.[1] === undefined || row[2] === undefined) continue;
    rows.set(
      row[1],
      [...row[2].matchAll(/`([a-z/]+)`/g)].map((m) => m[1] ?? "").sort(),
    );
  }
  const allowed = Object.entries(MAY_IMPORT)
    .map(([room, targets]) => [room, [...targets].sort()] as const);
  deepStrictEqual(new Map(rows), new Map(allowed));
});

Deno.test("docs/architecture.md names the files that a request passes, at most 22", () => {
  const [, life = ""] = read("docs/architecture.md")
    .split("## The life of one request");
  const files = [
    ...life.split("\n## ")[0]?.matchAll(/^\| \d+ +\| `([^`]+)`/gm) ?? [],
  ]
    .map(([, file]) => `src/${file}`);
  ok(files.length > 10 && files.length <= 22, `${files.length} files`);
  for (const file of files) ok([...sources("src")].includes(file), file);
  const lines = read("src/proxy/pursue.ts").split("\n").length - 1;
  ok(lines <= 200, `src/proxy/pursue.ts has ${lines} lines`);
});

Deno.test("the lint plugin sees every way to import and every impure call", () => {
  function faults(path: string, code: string): string[] {
    return Deno.lint.runPlugin(rooms, `${ROOT}${path}`, code).map((d) => d.id);
  }
  const direction = ["rooms/import-direction"];
  deepStrictEqual(
    faults("src/core/a.ts", `import "../server/b.ts";`),
    direction,
  );
  deepStrictEqual(
    faults("src/core/a.ts", `export * from "../server/b.ts";`),
    direction,
  );
  deepStrictEqual(
    faults("src/core/a.ts", `export { b } from "../server/b.ts";`),
    direction,
  );
  deepStrictEqual(
    faults(
      "src/proxy/a.ts",
      `async function f() { await import("../store/b.ts"); }`,
    ),
    direction,
  );
  deepStrictEqual(
    faults(
      "src/server/a.ts",
      `async function f(x: string) { await import(x); }`,
    ),
    direction,
  );
  const pure = ["rooms/pure-room"];
  for (
    const call of [
      "Date.now()",
      "new Date()",
      "fetch('x')",
      "setTimeout(() => {}, 1)",
      "Math.random()",
      "crypto.randomUUID()",
      "performance.now()",
      "Deno.pid",
    ]
  ) {
    deepStrictEqual(
      faults("src/core/a.ts", `const a = () => ${call};`),
      pure,
      call,
    );
  }
  deepStrictEqual(faults("src/core/a.ts", `const a = () => new Date(5);`), []);
  const asks = `const a = () => Deno.build.os === "windows";`;
  for (
    const code of [
      asks,
      "const { os } = Deno.build;",
      "const { os: system } = Deno.build;",
      "const build = Deno.build;",
      "const a = process.platform;",
    ]
  ) {
    for (const room of ["cli", "server", "service", "store"]) {
      deepStrictEqual(faults(`src/${room}/a.ts`, code), [
        "rooms/system-argument",
      ], code);
    }
  }
  deepStrictEqual(faults("src/store/files/file_modes.ts", asks), []);
  deepStrictEqual(faults("src/a/b.ts", "const { target } = Deno.build;"), []);
  for (
    const text of [
      '"unset HTTPS_PROXY, or start with tc run"',
      "`unset ${name}, or start with tc run`",
      "`export NO_PROXY=127.0.0.1`",
      '`export PATH="${folder}:$PATH"`',
      `'eval "$(tc env)"'`,
      "'tc env | source'",
      "`chmod ${mode} ${path}`",
      "`chmod go-w ${path}`",
      "`make it yours: ls -ld ${path}`",
      "`rm ${path}   when you do not need it`",
      "`kill ${pid}   ends it`",
      "`TC_PROXY_PORT=${port} tc run`",
      '"tc login --api --api-key-stdin <key.txt"',
      '"ulimit -n 4096"',
      '"$Env:PATH = 1"',
    ]
  ) {
    deepStrictEqual(faults("src/cli/a.ts", `const a = ${text};`), [
      "rooms/shell-words",
    ], text);
    deepStrictEqual(faults("src/shell_words.ts", `const a = ${text};`), []);
  }
  for (
    const text of [
      '"tc config unset proxy.port"',
      "`tc remove ${label} --force   does not wait`",
      '"TC_DEBUG=1 prints the stack"',
      '"tc run"',
    ]
  ) deepStrictEqual(faults("src/cli/a.ts", `const a = ${text};`), [], text);
  deepStrictEqual(faults("src/server/a.ts", `let a = 1; a++;`), [
    "rooms/no-module-state",
  ]);
  for (
    const change of [
      "a.set(1, 2)",
      "a.clear()",
      "a.size = 1",
      "a[0] = 1",
      "a.b++",
      "delete a.b",
    ]
  ) {
    const code = `const a = new Map(); export function f() { ${change}; }`;
    deepStrictEqual(faults("src/server/a.ts", code), [
      "rooms/no-module-state",
    ], change);
  }
  const list = "const a = [1, 2]; export function f() { a.push(3); }";
  deepStrictEqual(faults("src/server/a.ts", list), ["rooms/no-module-state"]);
  const constant = "const a = new Set([1]); export const f = () => a.has(1);";
  deepStrictEqual(faults("src/server/a.ts", constant), []);
  deepStrictEqual(faults("src/server/a.ts", `await f();`), [
    "rooms/no-module-state",
  ]);
  deepStrictEqual(faults("src/server/utils.ts", `f();`), [
    "rooms/telling-name",
  ]);
  for (const member of ["message", "stack ?? e.message"]) {
    const code =
      `const a = (e: unknown) => e instanceof Error ? e.${member} : "";`;
    deepStrictEqual(faults("src/server/a.ts", code), ["rooms/reason-of"]);
  }
  const opened = ["rooms/refresh-token"];
  for (
    const code of [
      "const a = RefreshToken.toSpend(token);",
      "const a = RefreshToken.toStore(token);",
      "const a = RefreshToken['toSpend'](token);",
      "const Other = RefreshToken;",
      `import { RefreshToken as Other } from "../ports.ts";`,
    ]
  ) {
    deepStrictEqual(faults("src/auth/a.ts", code), opened, code);
  }
  deepStrictEqual(
    faults(
      "src/store/vault/vault_entry.ts",
      "const a = RefreshToken.toSpend(token);",
    ),
    opened,
  );
  deepStrictEqual(
    faults(
      "src/auth/spend_refresh_token.ts",
      "const a = RefreshToken.toSpend(token);",
    ),
    [],
  );
  const getter = "const f = (a) => ({ get b() { return a.b; } });";
  deepStrictEqual(faults("src/server/a.ts", getter), [
    "rooms/no-literal-getter",
  ]);
  const method = "const f = (a) => ({ b() { return a.b; }, get: 1 });";
  deepStrictEqual(faults("src/server/a.ts", method), []);
  const scoped = ["rooms/request-scope"];
  for (
    const code of [
      "const scope = new RequestScope(proxy);",
      "const share = budget.share();",
      "f(budget.share());",
      "const lease = pool.openLease(id, facts);",
    ]
  ) {
    deepStrictEqual(faults("src/proxy/a.ts", code), scoped, code);
  }
  deepStrictEqual(
    faults(
      "src/proxy/a.ts",
      `async function f() {
        await using scope = new RequestScope(proxy);
        using share = budget.share();
        g(scope, share);
      }`,
    ),
    [],
  );
  deepStrictEqual(
    faults("src/proxy/request_scope.ts", "this.x = budget.share();"),
    [],
  );
  const long = `function f() {\n${"g();\n".repeat(70)}}`;
  deepStrictEqual(faults("src/server/a.ts", long), ["rooms/short-function"]);
});

Deno.test("a test that uses fetch, directly or by a fixture, cleans its environment", () => {
  // `fetch` takes the proxy of the environment, whatever the address.
  const unclean = [...sources("tests")].filter((path) => {
    if (!path.endsWith("_test.ts") || path === "tests/tidy_test.ts") {
      return false;
    }
    const files = closureOf(path);
    return !files.includes("tests/fixtures/clean_environment.ts") &&
      files.some((file) => /[^.\w]fetch\(/.test(read(file)));
  });
  deepStrictEqual(unclean, []);
});

/** Returns the file and everything of `tests` that it imports. */
function closureOf(path: string): readonly string[] {
  const known = new Set(sources("tests"));
  const found = new Set<string>();
  const open = [path];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    for (const match of read(file).matchAll(IMPORT)) {
      const target = match[1] ?? match[2] ?? "";
      const next = new URL(target, `file:///${file}`).pathname.slice(1);
      // A path in a text of a test may look like an import.
      if (known.has(next)) open.push(next);
    }
  }
  return [...found];
}

Deno.test("every test file that starts a process or reads a variable cleans its environment first", () => {
  const unclean = [...sources("tests")].filter((path) => {
    if (/^tests\/(bench|soak)\/|\/main\.ts$/.test(path)) return false;
    const text = read(path);
    return /Deno\.(Command\(|env\.)|new Worker\(/.test(text) &&
      !text.includes('clean_environment.ts";');
  }).filter((path) => path !== "tests/tidy_test.ts");
  // The other one is tc itself, in an environment that its test chose.
  deepStrictEqual(unclean.toSorted(), [
    "tests/fixtures/clean_environment.ts",
    "tests/fixtures/tc_on_system.ts",
  ]);
});

Deno.test("importFault() judges Windows paths alike", () => {
  strictEqual(
    importFault("C:\\tc\\src\\core\\a.ts", "../server/b.ts"),
    "src/core may not import src/server",
  );
  strictEqual(importFault("C:\\tc\\src\\server\\a.ts", "../core/b.ts"), null);
});

/** The files with a test that a system lacks something for, by the reason. */
function skipped(): Map<string, string[]> {
  const files = new Map<string, string[]>();
  for (const path of sources("tests")) {
    const found = read(path).matchAll(
      /\b(needs(?:Linux|Windows)?)\("(\w+)"\)/g,
    );
    for (const [, kind = "", what = ""] of found) {
      const reasons: Readonly<Record<string, string>> = kind === "needs"
        ? NOT_ON_WINDOWS
        : kind === "needsLinux"
        ? ONLY_ON_LINUX
        : ONLY_ON_WINDOWS;
      const reason = reasons[what];
      if (reason === undefined) continue;
      const names = files.get(reason) ?? [];
      const name = path.replace(/^tests\/|_test\.ts$|\.ts$/g, "");
      files.set(reason, [...new Set([...names, name])].sort());
    }
  }
  return files;
}

Deno.test("a test that a system skips has its reason, and docs/platforms.md names it", () => {
  const bare = [...sources("tests")].filter((path) =>
    /ignore:[^\n]*Deno\.build\.os|const [A-Z_]+ = [^;]*Deno\.build\.os [!=]==[^;]*;[\s\S]*ignore: [A-Z_]+,/
      .test(read(path)) && !MAY_LOOK.includes(path)
  );
  deepStrictEqual(bare, []);
  const page = read("docs/platforms.md");
  const plain = page.replace(/ +/g, " ");
  for (const [reason, files] of skipped()) {
    const row = `| ${reason} | ${
      files.map((file) => `\`${file}\``).join(", ")
    } |`;
    ok(plain.includes(row), `docs/platforms.md lacks: ${row}`);
  }
  const reasons = [NOT_ON_WINDOWS, ONLY_ON_LINUX, ONLY_ON_WINDOWS]
    .flatMap((list) => Object.values(list));
  deepStrictEqual(reasons.filter((reason) => !skipped().has(reason)), []);
});

Deno.test("no regular expression of emoji is a literal: each load would build its set", () => {
  const literal = /\/(?:[^/\\\n]|\\.)*\\p\{(?:RGI|Basic)_Emoji\w*\}/;
  const found = [...sources("src")].filter((path) => literal.test(read(path)));
  deepStrictEqual(found, []);
});

Deno.test("files of /proc are read by kernelText() alone: the executable may not", () => {
  const direct = /\b(?:readTextFile|readFile|open)(?:Sync)?\(\s*["'`]\/proc/;
  const found = [...sources("src")].filter((path) =>
    path !== "src/kernel_text.ts" && direct.test(read(path))
  );
  deepStrictEqual(found, []);
});
