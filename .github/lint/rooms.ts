/**
 * Lint plugin that keeps the rooms of the house apart: an import goes only in
 * an allowed direction, and `core/` and `wire/` stay pure.
 *
 * @module
 */

/**
 * For each room, the rooms it may import from, besides itself. The files
 * directly in `src/` are the room `ports`.
 */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  ports: ["core"],
  wire: ["core", "ports"],
  http: ["core", "wire", "ports"],
  proxy: ["core", "wire", "http", "ports"],
  auth: ["core", "wire", "ports"],
  store: ["core", "ports"],
  claude: ["core", "wire", "ports"],
  control: ["core", "wire", "ports"],
  service: ["ports"],
  demo: ["core", "ports"],
  system: ["core", "store", "ports"],
  config: ["core", "store", "system", "ports"],
  release: ["store", "ports"],
  records: ["core", "wire", "store", "control", "system", "config", "ports"],
  "auth/import": ["core", "wire", "auth", "store", "claude", "system", "ports"],
  "demo/stage": ["core", "auth", "demo", "system", "ports"],
  swap: ["core", "store", "auth", "claude", "ports"],
  profile: ["core", "store", "auth", "claude", "ports"],
  simulate: ["core", "store"],
  deck: ["core", "claude", "control", "ports"],
  page: ["control"],
  server: [
    "core",
    "wire",
    "http",
    "proxy",
    "auth",
    "store",
    "control",
    "service",
    "system",
    "config",
    "release",
    "records",
    "page",
    "ports",
  ],
  cli: [
    "core",
    "http",
    "auth",
    "store",
    "claude",
    "control",
    "service",
    "demo",
    "system",
    "config",
    "release",
    "records",
    "auth/import",
    "demo/stage",
    "swap",
    "profile",
    "simulate",
    "deck",
    "server",
    "ports",
  ],
};

const PURE_ROOMS = ["core", "wire"];

/** Packages that compute and nothing else. */
const PURE_PACKAGES = ["node:buffer", "valibot"];

const FUNCTION_LINES_MAX = 70;

/** Members that read the outside; `*` is every member of the object. */
const IMPURE_MEMBERS: readonly (readonly [object: string, member: string])[] = [
  ["Date", "now"],
  ["Math", "random"],
  ["crypto", "*"],
  ["performance", "*"],
  ["Deno", "*"],
  ["process", "*"],
];

const IMPURE_CALLS = [
  "fetch",
  "setTimeout",
  "setInterval",
  "queueMicrotask",
  "alert",
  "prompt",
];

/**
 * Files that may ask which system this is; main.ts, outside of src, tells all
 * others. They take it as an argument, so that each branch is tested for Linux,
 * macOS and Windows on any of them.
 */
const MAY_ASK_SYSTEM = [
  // Files as the system has them, below everything that writes one.
  "src/store/files/file_modes.ts",
  "src/store/files/held_file.ts",
  // The runner of the main thread.
  "src/system/command_runner.ts",
];

/**
 * Writes every command that tc suggests, for the shell of who reads it; and what
 * tc itself runs by /bin/sh.
 */
const SHELL_WORDS = ["src/shell_words.ts", "src/system/open_files.ts"];

/** What one shell, or one kind of system, understands and another does not. */
const RAW_COMMANDS: readonly RegExp[] = [
  /(?<!\btc)(^|[\s"'`(])(export|unset|setx|set -gx|set -e) "?([A-Z][A-Z_]{2,}|\$)/,
  /\$env:[A-Z]/i,
  /\beval "?\$\(/,
  /\| (source|Invoke-Expression)\b/,
  /(^|[\s(:])(chmod|chown|icacls|taskkill|rm|kill|ls|cp|mv|del)( -\w+)* (\/|~|\$)/,
  /(^|[\s(])chmod [0-7ugoa$]/,
  /(^|\s)[A-Z][A-Z_]{3,}=\S* (tc|claude)\b/,
  /^tc [^\n]* <[A-Za-z.]+( |$)/,
  /(^|[\s(])(ulimit -\w|export PATH)/,
];

/**
 * Who may take the value out of a refresh token: one module spends it, and the
 * formats in which a login is kept write it down.
 */
const MAY_OPEN_REFRESH_TOKENS: Readonly<Record<string, readonly string[]>> = {
  toSpend: ["src/auth/spend_refresh_token.ts"],
  toStore: [
    "src/demo/stage/demo_worker.ts",
    "src/server/links/owner_link.ts",
    "src/store/vault/vault_entry.ts",
    "src/wire/claude_credential.ts",
  ],
};

/**
 * Results of pure functions that are expensive to compute, kept from one call to
 * the next: every answer is the same with and without them.
 */
const MEMOS: Readonly<Record<string, readonly string[]>> = {
  "src/core/pool/headcount.ts": ["counted", "lastCensus"],
  "src/deck/figures.ts": ["clocks"],
  "src/deck/panels/activity.ts": ["drawn"],
  "src/deck/scene.ts": ["known"],
  "src/deck/terminal/grapheme.ts": ["known", "knownTexts", "segmenters"],
  "src/deck/terminal/theme.ts": ["codes"],
  "src/deck/view.ts": ["known"],
};

const COLLECTIONS = ["Map", "Set", "WeakMap", "WeakSet", "Array"];

const MUTATORS =
  /^(set|add|delete|clear|push|pop|shift|unshift|splice|sort|reverse|fill)$/;

/** What reasonOf() and stackOf() return, after the name of the error. */
const SPELLED_OUT = /^\.(message|stack)\b/;

/** The file that returns memory and closes leases, for every request. */
const REQUEST_SCOPE = "/src/proxy/request_scope.ts";

/** Names that say nothing of what is in the file. */
const EMPTY_NAMES = /^(utils?|helpers?|common|misc|types|manager|shared)$/;

/** Returns the constants of `program` that hold a collection or an object. */
function collectionsOf(program: Deno.lint.Program): ReadonlySet<string> {
  const names = new Set<string>();
  for (const statement of program.body) {
    const declaration = statement.type === "ExportNamedDeclaration"
      ? statement.declaration
      : statement;
    if (declaration?.type !== "VariableDeclaration") continue;
    for (const { id, init } of declaration.declarations) {
      if (id.type !== "Identifier" || init === null) continue;
      const isNew = init?.type === "NewExpression" &&
        init.callee.type === "Identifier" &&
        COLLECTIONS.includes(init.callee.name);
      const isLiteral = init?.type === "ArrayExpression" ||
        init?.type === "ObjectExpression";
      if (isNew || isLiteral) names.add(id.name);
    }
  }
  return names;
}

/** Returns the name of the variable that `node` reaches into, or null. */
function objectOf(node: Deno.lint.Node): string | null {
  return node.type === "MemberExpression" && node.object.type === "Identifier"
    ? node.object.name
    : null;
}

/** Returns whether `node` is `Deno.build`. */
function isBuild(node: Deno.lint.Node): boolean {
  return node.type === "MemberExpression" &&
    node.object.type === "Identifier" && node.object.name === "Deno" &&
    node.property.type === "Identifier" && node.property.name === "build";
}

/** Returns the room of a source file by its path, or null outside `src/`. */
export function roomOf(path: string): string | null {
  const match = /\/src\/((?:[a-z_]+\/)*)[a-z0-9_]+\.(?:ts|json)$/.exec(
    path.replaceAll("\\", "/"),
  );
  if (match === null) return null;
  const [room, folder] = (match[1] ?? "").split("/");
  if (room === undefined || room === "") return "ports";
  // A folder with a row of its own is a room of its own.
  return `${room}/${folder}` in MAY_IMPORT ? `${room}/${folder}` : room;
}

function fileUrl(path: string): string {
  const normal = path.replaceAll("\\", "/");
  return `file://${normal.startsWith("/") ? "" : "/"}${normal}`;
}

/** Why `specifier` may not be imported by the file at `path`, or null. */
export function importFault(path: string, specifier: string): string | null {
  const from = roomOf(path);
  if (from === null) return null;
  if (!specifier.startsWith(".")) {
    const isAllowed = /^node:/.test(specifier) ||
      /^(@?[a-z])/.test(specifier) && !/^[a-z]+:/.test(specifier);
    return isAllowed
      ? null
      : `src/${from} imports ${specifier}: npm packages by their bare name, and node:`;
  }
  // The version stands there and nowhere else.
  if (specifier.endsWith("/deno.json")) return null;
  const to = roomOf(new URL(specifier, fileUrl(path)).pathname);
  if (to === null) {
    return `src/${from} imports a file outside src: ${specifier}`;
  }
  if (to === from || MAY_IMPORT[from]?.includes(to)) return null;
  return `src/${from} may not import src/${to}`;
}

export default {
  name: "rooms",
  rules: {
    "import-direction": {
      create(context): Deno.lint.LintVisitor {
        function check(node: Deno.lint.Node, specifier: unknown): void {
          if (typeof specifier !== "string") return;
          const message = importFault(context.filename, specifier);
          if (message !== null) context.report({ node, message });
        }
        return {
          ImportDeclaration(node): void {
            check(node, node.source.value);
          },
          ExportAllDeclaration(node): void {
            check(node, node.source.value);
          },
          ExportNamedDeclaration(node): void {
            check(node, node.source?.value);
          },
          ImportExpression(node): void {
            if (roomOf(context.filename) === null) return;
            if (node.source.type === "Literal") {
              check(node, node.source.value);
              return;
            }
            // A compiled binary imports file: and data: without any grant.
            context.report({
              node,
              message:
                "import() takes a literal: a computed specifier runs anything",
            });
          },
        };
      },
    },
    "system-argument": {
      create(context): Deno.lint.LintVisitor {
        const path = context.filename.replaceAll("\\", "/");
        if (roomOf(path) === null) return {};
        if (MAY_ASK_SYSTEM.some((file) => path.endsWith(`/${file}`))) return {};
        function report(node: Deno.lint.Node): void {
          context.report({
            node,
            message: "The system is an argument",
            hint: "Take `system` from the caller: a test runs every branch",
          });
        }
        return {
          MemberExpression(node): void {
            const { object, property } = node;
            const name = property.type === "Identifier" ? property.name : "";
            const isPlatform = object.type === "Identifier" &&
              object.name === "process" && name === "platform";
            if (isPlatform || (isBuild(object) && name === "os")) report(node);
          },
          VariableDeclarator({ id, init }): void {
            // The whole of it, or a part under another name.
            if (init === null || init === undefined || !isBuild(init)) return;
            const names = id.type !== "ObjectPattern"
              ? ["os"]
              : id.properties.map((part) =>
                part.type === "Property" && part.key.type === "Identifier"
                  ? part.key.name
                  : "os"
              );
            if (names.includes("os")) report(init);
          },
        };
      },
    },
    "shell-words": {
      create(context): Deno.lint.LintVisitor {
        const path = context.filename.replaceAll("\\", "/");
        if (
          roomOf(path) === null ||
          SHELL_WORDS.some((file) => path.endsWith(`/${file}`))
        ) {
          return {};
        }
        function check(node: Deno.lint.Node, text: string): void {
          // A script begins with what it is for.
          if (text.startsWith("#")) return;
          const isRaw = text.split("\n").some((line) =>
            RAW_COMMANDS.some((command) => command.test(line))
          );
          if (!isRaw) return;
          context.report({
            node,
            message: "Another shell does not understand this command",
            hint: "Write it by src/shell_words.ts, for the shell of the reader",
          });
        }
        return {
          Literal(node): void {
            if (typeof node.value === "string") check(node, node.value);
          },
          TemplateLiteral(node): void {
            check(node, node.quasis.map(({ cooked }) => cooked).join("$"));
          },
        };
      },
    },
    "pure-room": {
      create(context): Deno.lint.LintVisitor {
        const room = roomOf(context.filename);
        if (room === null || !PURE_ROOMS.includes(room)) return {};
        function report(node: Deno.lint.Node, what: string): void {
          context.report({
            node,
            message: `${what} is input: pass it in`,
            hint: "Take `now` or the value as an argument; see src/ports.ts",
          });
        }
        return {
          MemberExpression(node): void {
            const { object, property } = node;
            if (object.type !== "Identifier") return;
            const member = property.type === "Identifier" ? property.name : "";
            const isImpure = IMPURE_MEMBERS.some(([o, m]) =>
              o === object.name && (m === "*" || m === member)
            );
            if (isImpure) report(node, `${object.name}.${member}`);
          },
          NewExpression(node): void {
            const { callee } = node;
            if (callee.type !== "Identifier") return;
            if (callee.name === "Date" && node.arguments.length === 0) {
              report(node, "new Date()");
            }
          },
          CallExpression(node): void {
            const { callee } = node;
            if (callee.type !== "Identifier") return;
            if (IMPURE_CALLS.includes(callee.name)) report(node, callee.name);
          },
          ImportDeclaration(node): void {
            const { value } = node.source;
            const isPure = value.startsWith(".") ||
              (room === "wire" && PURE_PACKAGES.includes(value));
            if (!isPure) report(node, `a package (${value})`);
          },
        };
      },
    },
    "no-module-state": {
      create(context): Deno.lint.LintVisitor {
        if (roomOf(context.filename) === null) return {};
        let collections: ReadonlySet<string> = new Set();
        const path = context.filename.replaceAll("\\", "/");
        const memos = Object.entries(MEMOS)
          .flatMap(([file, names]) => path.endsWith(`/${file}`) ? names : []);
        function change(node: Deno.lint.Node, name: string | null): void {
          if (name === null || !collections.has(name)) return;
          if (memos.includes(name)) return;
          context.report({
            node,
            message: `${name} is state of the module: pass it in, or hold it`,
          });
        }
        return {
          CallExpression(node): void {
            const { callee } = node;
            if (callee.type !== "MemberExpression") return;
            const { property } = callee;
            const isChange = property.type === "Identifier" &&
              MUTATORS.test(property.name);
            if (isChange) change(node, objectOf(callee));
          },
          AssignmentExpression(node): void {
            change(node, objectOf(node.left));
          },
          UpdateExpression(node): void {
            change(node, objectOf(node.argument));
          },
          UnaryExpression(node): void {
            if (node.operator === "delete") {
              change(node, objectOf(node.argument));
            }
          },
          Program(node): void {
            collections = collectionsOf(node);
            for (const statement of node.body) {
              const declaration = statement.type === "ExportNamedDeclaration"
                ? statement.declaration
                : statement;
              if (declaration?.type !== "VariableDeclaration") continue;
              if (declaration.kind === "const") continue;
              context.report({
                node: declaration,
                message:
                  "Importing a module has no effect: no let at the top level",
              });
            }
          },
          AwaitExpression(node): void {
            const isTop = !context.sourceCode.getAncestors(node).some((a) =>
              /Function/.test(a.type) || a.type === "MethodDefinition"
            );
            if (!isTop) return;
            context.report({
              node,
              message: "Importing a module has no effect: no top-level await",
            });
          },
        };
      },
    },
    "short-function": {
      create(context): Deno.lint.LintVisitor {
        if (roomOf(context.filename) === null) return {};
        function check(
          node: Deno.lint.FunctionDeclaration | Deno.lint.FunctionExpression,
        ): void {
          const [start, end] = node.range;
          const lines = context.sourceCode.text.slice(start, end).split("\n");
          if (lines.length <= FUNCTION_LINES_MAX) return;
          context.report({
            node,
            message:
              `A function of ${lines.length} lines; ${FUNCTION_LINES_MAX} at most`,
          });
        }
        return { FunctionDeclaration: check, FunctionExpression: check };
      },
    },
    "reason-of": {
      create(context): Deno.lint.LintVisitor {
        const path = context.filename.replaceAll("\\", "/");
        if (roomOf(path) === null || path.endsWith("/src/errors.ts")) return {};
        return {
          ConditionalExpression(node): void {
            const { test, consequent } = node;
            if (test.type !== "BinaryExpression") return;
            if (test.operator !== "instanceof") return;
            const { left, right } = test;
            if (left.type !== "Identifier" || right.type !== "Identifier") {
              return;
            }
            if (right.name !== "Error") return;
            const { text } = context.sourceCode;
            const said = text.slice(...consequent.range);
            if (!SPELLED_OUT.test(said.slice(left.name.length))) return;
            if (!said.startsWith(left.name)) return;
            context.report({
              node,
              message: "The text of an error comes from one function",
              hint: "Use reasonOf() or stackOf() of src/errors.ts",
            });
          },
        };
      },
    },
    // V8 gives each object literal with a getter a hidden class of its own,
    // which keeps what the getter captured until the next full collection.
    "no-literal-getter": {
      create(context): Deno.lint.LintVisitor {
        const path = context.filename.replaceAll("\\", "/");
        if (roomOf(path) === null) return {};
        return {
          "ObjectExpression > Property"(node: Deno.lint.Property): void {
            if (node.kind !== "get") return;
            context.report({
              node,
              message: "A getter in an object literal keeps what it captured",
              hint: "Use a method, or a class with a getter",
            });
          },
        };
      },
    },
    "request-scope": {
      create(context): Deno.lint.LintVisitor {
        const path = context.filename.replaceAll("\\", "/");
        if (roomOf(path) === null || path.endsWith(REQUEST_SCOPE)) return {};
        function check(node: Deno.lint.Node, what: string): void {
          const declaration = context.sourceCode.getAncestors(node).at(-2);
          const isBound = declaration?.type === "VariableDeclaration" &&
            /using$/.test(declaration.kind);
          if (isBound) return;
          context.report({
            node,
            message: `${what} is bound with using, so that it ends by itself`,
          });
        }
        return {
          NewExpression(node): void {
            const { callee } = node;
            if (callee.type !== "Identifier") return;
            if (callee.name === "RequestScope") check(node, "A request scope");
          },
          CallExpression(node): void {
            const { callee } = node;
            if (callee.type !== "MemberExpression") return;
            const { property } = callee;
            if (property.type !== "Identifier") return;
            if (property.name === "share") check(node, "A share of memory");
            if (property.name !== "openLease") return;
            context.report({
              node,
              message: "Only the scope of a request opens and closes a lease",
              hint: "Use RequestScope.lease() of src/proxy/request_scope.ts",
            });
          },
        };
      },
    },
    "refresh-token": {
      create(context): Deno.lint.LintVisitor {
        const path = context.filename.replaceAll("\\", "/");
        if (roomOf(path) === null || path.endsWith("/src/refresh_token.ts")) {
          return {};
        }
        return {
          MemberExpression(node): void {
            const { object, property } = node;
            if (object.type !== "Identifier") return;
            if (object.name !== "RefreshToken") return;
            const member = property.type === "Identifier" ? property.name : "";
            const files = MAY_OPEN_REFRESH_TOKENS[member] ?? [];
            if (files.some((file) => path.endsWith(`/${file}`))) return;
            context.report({
              node,
              message: `RefreshToken.${member} is not for this file`,
              hint: "Spend it by src/auth/spend_refresh_token.ts",
            });
          },
          VariableDeclarator(node): void {
            if (node.init?.type !== "Identifier") return;
            if (node.init.name !== "RefreshToken") return;
            context.report({
              node,
              message: "RefreshToken keeps its name: the rule goes by it",
            });
          },
          ImportSpecifier(node): void {
            const { imported, local } = node;
            const name = imported.type === "Identifier" ? imported.name : "";
            if (name !== "RefreshToken" || local.name === name) return;
            context.report({
              node,
              message: "RefreshToken keeps its name: the rule goes by it",
            });
          },
        };
      },
    },
    "telling-name": {
      create(context): Deno.lint.LintVisitor {
        return {
          Program(node): void {
            const name = /([^/\\]+)\.ts$/.exec(context.filename)?.[1] ?? "";
            if (!EMPTY_NAMES.test(name)) return;
            context.report({
              node,
              message: `A file named ${name}.ts says nothing of what is in it`,
            });
          },
        };
      },
    },
  },
} satisfies Deno.lint.Plugin;
