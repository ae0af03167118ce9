/**
 * `deno task compile`: one executable with version, commit and date inside.
 *
 *   deno task compile                            dist/tc for this machine
 *   deno task compile --target aarch64-apple-darwin    dist/<target>/tc
 *   deno task compile --denort PATH              on a base binary of one's own
 *   deno task compile --deno PATH                with another Deno's compiler
 *
 * The variables DENORT_BIN and TC_COMPILE_DENO stand for the last two.
 */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { shortenScripts } from "./shorten.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What the program is made of. */
const SOURCES = ["main.ts", "deno.json", "deno.lock", "src"];

/** Where the bundled pieces go, in the folder that is compiled. */
const BUNDLE = "bundle";

/**
 * The entry file of each worker thread, and the path by which the program names
 * it: relative to the module that starts it, which is a bundled piece.
 */
const WORKERS = [
  {
    entry: "src/server/worker/server_worker",
    named: "worker/server_worker.ts",
  },
  { entry: "src/demo/stage/demo_worker", named: "demo_worker.ts" },
  {
    entry: "src/claude/history/reading_worker",
    named: "reading_worker.ts",
  },
];

/**
 * The main thread reads the caller's files, starts Claude Code with the whole
 * environment, and opens the worker's fence; it never loads native code, and
 * it imports nothing from outside. `tc doctor --permissions` explains each.
 */
const GRANTS = [
  "--allow-read",
  "--allow-write",
  "--allow-net",
  "--allow-env",
  "--allow-run",
  "--allow-sys=hostname,userInfo,uid,gid",
  "--deny-ffi",
  "--deny-import",
];

interface Order {
  readonly target: string | null;
  readonly deno: string;
  readonly denort: string | null;
}

function order(): Order {
  const { values } = parseArgs({
    args: Deno.args,
    options: {
      target: { type: "string" },
      denort: { type: "string" },
      deno: { type: "string" },
    },
  });
  return {
    target: values.target ?? null,
    deno: values.deno ?? Deno.env.get("TC_COMPILE_DENO") ?? Deno.execPath(),
    denort: values.denort ?? Deno.env.get("DENORT_BIN") ?? null,
  };
}

async function run(
  program: string,
  args: readonly string[],
  options: Pick<Deno.CommandOptions, "cwd" | "env">,
): Promise<void> {
  const { code } = await new Deno.Command(program, {
    args: [...args],
    ...options,
  })
    .spawn().status;
  if (code !== 0) throw new Error(`${program} ended with code ${code}`);
}

/** What git says, or null outside a checkout. */
async function git(...args: readonly string[]): Promise<string | null> {
  try {
    const { success, stdout } = await new Deno.Command("git", {
      args: ["-C", ROOT, ...args],
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : null;
  } catch {
    // No git: the sources came as an archive.
    return null;
  }
}

/** The marks of the build as a source file; a dirty tree says so. */
async function buildModule(): Promise<string> {
  const commit = await git("rev-parse", "--short=12", "HEAD") ?? "unknown";
  const date = await git("log", "-1", "--format=%cs") ?? "";
  const isDirty = await git("status", "--porcelain", "--", ...SOURCES) !== "";
  const mark = isDirty ? `${commit}+changes` : commit;
  const server = Deno.env.get("GITHUB_SERVER_URL");
  const repository = Deno.env.get("GITHUB_REPOSITORY");
  const releases = server && repository
    ? `${server}/${repository}/releases`
    : "";
  const build = { commit: mark, date, releases };
  return `export const BUILD = ${JSON.stringify(build)};\n`;
}

async function copy(from: string, to: string): Promise<void> {
  const { isDirectory } = await Deno.stat(from);
  if (!isDirectory) return await Deno.copyFile(from, to);
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) {
    await copy(join(from, name), join(to, name));
  }
}

/**
 * Bundles the sources in pieces, so that a command loads what it needs and no
 * more; `compile --bundle` makes one piece, which every start reads whole. The
 * answer is the files that the program starts its workers from.
 */
async function bundle(
  deno: string,
  folder: string,
): Promise<readonly string[]> {
  await run(deno, [
    "bundle",
    "--quiet",
    "--platform",
    "deno",
    "--code-splitting",
    "--outdir",
    BUNDLE,
    "main.ts",
    ...WORKERS.map(({ entry }) => `${entry}.ts`),
  ], { cwd: folder });
  await shortenScripts(join(folder, BUNDLE));
  for (const { entry, named } of WORKERS) {
    const place = join(folder, BUNDLE, named);
    await Deno.mkdir(dirname(place), { recursive: true });
    const up = "../".repeat(named.split("/").length - 1) || "./";
    await Deno.writeTextFile(place, `import "${up}${entry}.js";\n`);
  }
  return WORKERS.map(({ named }) => named);
}

async function compile({ target, deno, denort }: Order): Promise<string> {
  const dist = join(ROOT, "dist", ...(target === null ? [] : [target]));
  await Deno.mkdir(dist, { recursive: true });
  await Deno.writeTextFile(join(ROOT, "dist", ".gitignore"), "*\n");
  const system = target ?? Deno.build.target;
  const output = join(dist, system.includes("windows") ? "tc.exe" : "tc");
  const folder = await Deno.makeTempDir({ prefix: "tc-compile-" });
  try {
    for (const name of SOURCES) {
      await copy(join(ROOT, name), join(folder, name));
    }
    await Deno.writeTextFile(
      join(folder, "src", "release", "build.ts"),
      await buildModule(),
    );
    const workers = await bundle(deno, folder);
    await run(deno, [
      "compile",
      "--quiet",
      "--no-check",
      "--no-prompt",
      "--no-lock",
      // Another user of the machine could plant such a cache.
      "--no-code-cache",
      ...GRANTS,
      ...(target === null ? [] : ["--target", target]),
      ...workers.flatMap((file) => ["--include", file]),
      "--output",
      output,
      "main.js",
    ], {
      cwd: join(folder, BUNDLE),
      env: {
        // Kept in the executable: companies put their own authority there.
        DENO_TLS_CA_STORE: "mozilla,system",
        ...(denort === null ? {} : { DENORT_BIN: denort }),
      },
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return output;
}

/** Where Deno's own host is not reached, npm has what compiling needs. */
const NO_BASE = `
The executable was not made. If Deno could not fetch its base from dl.deno.land
(Linux on x64):
  sh .ci/base /tmp/tc-base
  DENORT_BIN=/tmp/tc-base/denort TC_COMPILE_DENO=/tmp/tc-base/deno \\
    npx -y deno@${Deno.version.deno} task compile
`;

const output = await compile(order()).catch(async () => {
  await Deno.stderr.write(new TextEncoder().encode(NO_BASE));
  Deno.exit(1);
});
const { size } = await Deno.stat(output);
await Deno.stdout.write(
  new TextEncoder().encode(`${output}  ${(size / 1e6).toFixed(1)} MB\n`),
);
