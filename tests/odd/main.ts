/**
 * Runs the tests in an odd environment: every variable that could lead a test
 * to the caller's folders, accounts, or proxies points at a trap, the home has
 * spaces in its name, and the umask is not the usual one. Afterwards it fails
 * if a trap holds anything.
 *
 * Arguments: files to test, else the whole suite. TC_TEST_ODD picks one of the
 * environments by its name; the day picks it otherwise, so that all of them
 * have their turn.
 */

import { join } from "node:path";
import { absentHome, cleaned } from "../fixtures/clean_environment.ts";
import { ROOT } from "../fixtures/paths.ts";

interface Odd {
  readonly name: string;
  readonly umask: string;
  /** Variables beside the traps. */
  readonly variables: Readonly<Record<string, string>>;
}

const ODD: readonly Odd[] = [
  {
    name: "strict",
    umask: "077",
    variables: { TZ: "", LANG: "C", LC_ALL: "C" },
  },
  {
    name: "open",
    umask: "000",
    variables: { TZ: ":/etc/localtime", LANG: "" },
  },
  {
    name: "far",
    umask: "027",
    variables: { TZ: "Pacific/Chatham", LANG: "tr_TR.UTF-8" },
  },
];
/** Nobody listens there: a test that uses the caller's proxy fails. */
const NOWHERE = "http://127.0.0.1:9";
const DAY_MS = 86_400_000;

function picked(): Odd {
  const name = Deno.env.get("TC_TEST_ODD");
  const odd = name === undefined
    ? ODD[Math.floor(Date.now() / DAY_MS) % ODD.length]
    : ODD.find((odd) => odd.name === name);
  if (odd !== undefined) return odd;
  throw new Error(
    `No environment ${name}: ${ODD.map((odd) => odd.name).join(", ")}`,
  );
}

/** The variables that lead into `trap`. */
function traps(trap: string): Record<string, string> {
  return {
    HOME: join(trap, "a home with spaces"),
    XDG_CONFIG_HOME: join(trap, "config"),
    XDG_STATE_HOME: join(trap, "state"),
    XDG_DATA_HOME: join(trap, "data"),
    XDG_CACHE_HOME: join(trap, "cache"),
    XDG_RUNTIME_DIR: join(trap, "runtime"),
    TC_CONFIG: join(trap, "tc", "config.json"),
    TC_PROXY_PORT: "1",
    TC_LOG_LEVEL: "error",
    TEAMCLAUDE_CONFIG: join(trap, "teamclaude", "config.json"),
    CLAUDE_CONFIG_DIR: join(trap, "claude"),
    CLAUDE_CODE_OAUTH_TOKEN: "trap-token",
    CLAUDECODE: "1",
    ANTHROPIC_BASE_URL: NOWHERE,
    ANTHROPIC_API_KEY: "trap-key",
    ANTHROPIC_AUTH_TOKEN: "trap-auth",
    ANTHROPIC_CUSTOM_HEADERS: "x-trap: 1",
    HTTP_PROXY: NOWHERE,
    HTTPS_PROXY: NOWHERE,
    ALL_PROXY: NOWHERE,
    http_proxy: NOWHERE,
    https_proxy: NOWHERE,
    NOTIFY_SOCKET: join(trap, "notify"),
    TMUX: join(trap, "tmux,1,0"),
    TMUX_TMPDIR: trap,
  };
}

/** Every path below `folder`, but the folders that were made as traps. */
function caught(folder: string): readonly string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = join(folder, name);
    const below = isDirectory ? caught(path) : [];
    return isDirectory ? below : [path];
  });
}

async function main(files: readonly string[]): Promise<number> {
  const odd = picked();
  const trap = await Deno.makeTempDir({ prefix: "tc-test-trap-" });
  const variables = traps(trap);
  for (const name of ["HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"]) {
    await Deno.mkdir(variables[name] ?? trap, { mode: 0o700 });
  }
  // Caches come from the caller, else everything is downloaded again.
  const caches = cleaned(Deno.env.toObject(), Deno.pid);
  const { DENO_DIR, npm_config_cache, npm_config_userconfig } = caches;
  // deno-lint-ignore no-console
  console.log(`environment: ${odd.name}, umask ${odd.umask}`);
  const child = new Deno.Command("/bin/sh", {
    args: [
      "-c",
      `umask ${odd.umask}; exec "$@"`,
      "sh",
      Deno.execPath(),
      "test",
      "-A",
      "--parallel",
      "--no-check",
      ...files.length === 0 ? ["tests/"] : files,
    ],
    cwd: ROOT,
    clearEnv: true,
    env: {
      ...caches,
      ...variables,
      ...odd.variables,
      // Programs read the summary of a log.
      ...(Deno.stdout.isTerminal() ? {} : { NO_COLOR: "1" }),
      // Most tests wait for programs and clocks: one more than there are cores.
      DENO_JOBS: String(navigator.hardwareConcurrency + 1),
      DENO_DIR: DENO_DIR ?? "",
      npm_config_cache: npm_config_cache ?? "",
      npm_config_userconfig: npm_config_userconfig ?? "",
    },
  }).spawn();
  const { code } = await child.status;
  const found = caught(trap);
  const home = absentHome(child.pid);
  const hasHome = await Deno.lstat(home).then(() => true, () => false);
  const touched = [...found, ...hasHome ? [home] : []];
  for (const path of touched) {
    // deno-lint-ignore no-console
    console.error(`touched outside the tests' own folders: ${path}`);
  }
  await Deno.remove(trap, { recursive: true });
  return code === 0 && touched.length > 0 ? 1 : code;
}

Deno.exit(await main(Deno.args));
