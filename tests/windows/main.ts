/**
 * `deno task test:windows`: the executable for Windows, and the tests of the
 * rooms that touch the system, under wine on Linux.
 *
 *   deno task test:windows            all of it
 *   deno task test:windows --short    what .ci/run has time for
 *   deno task test:windows FILES…     these tests alone, from source
 *
 * `.ci/windows` and `.ci/base` get what it needs, once, into a folder of the
 * temporary one; TC_TEST_WINE names another. On Windows itself the suite needs
 * none of this: `deno task test`.
 */

import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../fixtures/paths.ts";

/** Rooms whose tests run from source: those that touch the system. */
const ROOMS = [
  "core",
  "wire",
  "deck",
  "control",
  "system",
  "store",
  "config",
  "claude",
  "service",
  "release",
  "profile",
  "swap",
  "auth",
  "records",
  "server",
  "cli",
];

/** Of them, what decides whether a login is kept and a program starts. */
const SHORT = [
  "tests/claude/npm_shim_test.ts",
  "tests/claude/client_shell_test.ts",
  "tests/service",
  "tests/release",
  "tests/store/machine_secret_test.ts",
  "tests/store/held_file_test.ts",
  "tests/system",
  "tests/signals_test.ts",
];

/** What is run from source beside the rooms. */
const BESIDE = [
  "tests/shell_words_test.ts",
  "tests/signals_test.ts",
  "tests/variables_test.ts",
  "tests/binary/run_test.ts",
  "tests/e2e/demo_end_test.ts",
  "tests/reliability/start_test.ts",
];

/** What is run against the executable. */
const EXECUTABLE = [
  "tests/binary",
  "tests/e2e/demo_once_test.ts",
];
const SHORT_EXECUTABLE = [
  "first_start",
  "restart",
  "run",
  "service",
  "sign_in",
  "upgrade",
].map((name) => `tests/binary/${name}_test.ts`);
/** No part of it takes so long; what hangs is ended. */
const STEP_MS_MAX = 15 * 60_000;
/** No file takes so long; the slowest, cli/swap_test.ts, takes three minutes. */
const FILE_MS_MAX = 5 * 60_000;

const TARGET = "x86_64-pc-windows-msvc";

interface Step {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly msMax?: number;
}

async function run(
  { program, args, env = {}, msMax = STEP_MS_MAX }: Step,
): Promise<void> {
  // deno-lint-ignore no-console
  console.log(`== ${[program, ...args].join(" ").replaceAll(ROOT, "")}`);
  const { code } = await new Deno.Command(program, {
    args: [...args],
    cwd: ROOT,
    env,
    stdin: "null",
    signal: AbortSignal.timeout(msMax),
  }).spawn().status;
  if (code !== 0) throw new Error(`It ended with ${code}`);
}

/** Ends every program of the prefix, also what a failed test left running. */
async function endWine(folder: string): Promise<void> {
  await new Deno.Command("wineserver", {
    args: ["-k"],
    env: { WINEPREFIX: join(folder, "prefix") },
    stderr: "null",
  }).output();
  await removeCopies(folder);
}

/**
 * Removes what Deno leaves in its cache at every start where no `node` is on the
 * PATH: a copy of itself, which wine does not let it rename. A whole run makes
 * hundreds, of 100 MB each.
 */
async function removeCopies(folder: string): Promise<void> {
  const users = join(folder, "prefix", "drive_c", "users");
  for await (const { name } of Deno.readDir(users)) {
    const cache = join(users, name, "AppData", "Local", "deno");
    const bin = join(cache, "node_compat_bin");
    if (await isThere(bin)) await Deno.remove(bin, { recursive: true });
  }
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** The folder with wine's programs and the compiler, made where it is not. */
async function tools(): Promise<string> {
  const folder = Deno.env.get("TC_TEST_WINE") ??
    join(tmpdir(), `tc-test-wine-${Deno.uid()}`);
  if (!await isThere(join(folder, "run"))) {
    await run({ program: "sh", args: [join(ROOT, ".ci/windows"), folder] });
  }
  if (!await isThere(join(folder, "base", "deno"))) {
    const base = join(folder, "base");
    await run({ program: "sh", args: [join(ROOT, ".ci/base"), base] });
  }
  return folder;
}

/** A path of Linux as wine's programs have it. */
function inWine(path: string): string {
  return `Z:${path.replaceAll("/", "\\")}`;
}

async function executable(folder: string): Promise<string> {
  const compile = join(ROOT, ".github", "release", "compile.ts");
  await run({
    program: Deno.execPath(),
    args: ["run", "-A", compile, "--target", TARGET],
    env: {
      DENORT_BIN: join(folder, "denort.exe"),
      TC_COMPILE_DENO: join(folder, "base", "deno"),
    },
  });
  return join(ROOT, "dist", TARGET, "tc.exe");
}

async function main(words: readonly string[]): Promise<void> {
  const isShort = words.includes("--short");
  const files = words.filter((word) => !word.startsWith("--"));
  const folder = await tools();
  try {
    await prove(folder, { isShort, files });
  } finally {
    await endWine(folder);
  }
}

function testsIn(folder: string): readonly string[] {
  const found = [...Deno.readDirSync(join(ROOT, "tests", folder))];
  return found.flatMap(({ name, isDirectory }) =>
    isDirectory
      ? testsIn(`${folder}/${name}`)
      : name.endsWith("_test.ts")
      ? [`tests/${folder}/${name}`]
      : []
  ).toSorted();
}

/**
 * Signs the executable with a certificate made for it, and runs it: its payload
 * must outlive the signature that `.github/release/sign-windows.ps1` appends.
 */
async function proveSigned(folder: string, tc: string): Promise<void> {
  const [key, certificate, signed] = [
    "key.pem",
    "certificate.pem",
    "signed.exe",
  ]
    .map((name) => join(folder, name));
  await Deno.remove(signed ?? "").catch(() => {});
  const steps = [
    [
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tc",
      `-addext extendedKeyUsage=codeSigning -keyout ${key} -out ${certificate}`,
    ],
    [
      `osslsigncode sign -certs ${certificate} -key ${key} -h sha256 -n tc`,
      `-in ${tc} -out ${signed}`,
    ],
    [`osslsigncode verify -CAfile ${certificate} ${signed}`],
    [`${join(folder, "run")} ${signed} demo --once`],
  ];
  for (const words of steps) {
    const [program = "", ...args] = words.join(" ").split(" ");
    await run({ program, args });
  }
}

interface Wish {
  readonly isShort: boolean;
  /** Tests to run alone; none means all. */
  readonly files: readonly string[];
}

async function prove(folder: string, { isShort, files }: Wish): Promise<void> {
  const wine = join(folder, "run");
  const deno = join(folder, "deno.exe");
  async function test(
    paths: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const args = [deno, "test", "-A", "--no-check", ...paths];
    await run({ program: wine, args, env: { NO_COLOR: "1", ...env } });
  }
  if (files.length > 0) return await test(files);

  const tc = await executable(folder);
  for (const args of [["version"], ["demo", "--once"], ["doctor", "--prove"]]) {
    await run({ program: wine, args: [tc, ...args] });
  }
  const binary = { TC_TEST_BINARY: inWine(tc) };
  if (isShort) {
    await test(SHORT_EXECUTABLE, binary);
    return await test(SHORT);
  }
  const failed: string[] = [];
  await test(EXECUTABLE, binary).catch((cause) => {
    failed.push(`the executable: ${cause.message}`);
  });
  await proveSigned(folder, tc);
  for (const file of [...BESIDE, ...ROOMS.flatMap((room) => testsIn(room))]) {
    const args = [deno, "test", "-A", "--no-check", file];
    const env = { NO_COLOR: "1" };
    try {
      await run({ program: wine, args, env, msMax: FILE_MS_MAX });
    } catch (cause) {
      failed.push(`${file}: ${cause instanceof Error ? cause.message : cause}`);
    }
    // What hangs would hold the next one up.
    await endWine(folder);
  }
  if (failed.length > 0) throw new Error(failed.join("\n"));
}

if (Deno.build.os === "linux") await main(Deno.args);
else {
  // deno-lint-ignore no-console
  console.error("wine is for Linux; here it is: deno task test");
  Deno.exit(1);
}
