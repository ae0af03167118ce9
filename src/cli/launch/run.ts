/**
 * `tc run`: Claude Code through the pool.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";
import { findAccount } from "../../store/account_desk.ts";
import { openDesk, storedAccounts } from "../accounts/account_work.ts";
import { claudeProgram, marked } from "./claude_program.ts";
import type { Command } from "@commander-js/extra-typings";
import { runInPlace } from "../../claude/launch.ts";
import {
  applied,
  planLaunch,
  type Variables,
} from "../../claude/launch_variables.ts";
import { repositoryOf } from "../../claude/sessions/project.ts";
import { launchFolder } from "../../records/projects.ts";
import { EXIT, TcError } from "../../errors.ts";
import {
  clientSettings,
  launchFacts,
  openSocket,
  presentVariables,
} from "./launching.ts";
import {
  ServerKeeper,
  startInBackground,
} from "../../server/background_server.ts";
import { policyNamed } from "../accounts/policy_option.ts";
import { runInProfile } from "./profile_launch.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { join } from "node:path";
import { ensurePrivateFolder } from "../../store/files/atomic.ts";

interface RunOptions {
  readonly account?: string | undefined;
  readonly policy?: string | undefined;
  readonly socket?: boolean | undefined;
  /** True if no name is given. */
  readonly profile?: string | true | undefined;
}

const TEXT: CommandText = {
  name: "run",
  group: "start",
  summary: "Run Claude Code through the pool; starts the server if none runs",
  examples: [
    "tc run",
    "tc run --continue",
    'tc run --account work -p "say hi"',
  ],
  schema: null,
};

export function registerRun(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .argument("[args...]", "Arguments for Claude Code; -- ends those of tc")
    .option("--account <name>", "Use this account alone")
    .option("--policy <name>", "Choose accounts by this policy for this launch")
    .option("--socket", "Reach the server by its private Unix socket")
    .option(
      "--profile [name]",
      "Without the proxy: in the profile's own folder",
    )
    // Unknown options belong to the client, with or without -- before them.
    .allowUnknownOption()
    .action(registry.run((given, options) => {
      const args = clientArguments(given, rawArguments(program));
      const shell = new Shell(registry, {});
      const { profile, policy } = options;
      if (profile === undefined) return run(shell, args, options);
      const name = profile === true ? null : profile;
      return runInProfile(shell, { name, policy, args });
    }));
}

/** Returns the words of the command line as typed. */
function rawArguments(program: Command): readonly string[] {
  return (program as unknown as { readonly rawArgs: readonly string[] })
    .rawArgs;
}

/**
 * Returns Claude Code's arguments from `given`, which holds what tc did not
 * use. The first `--` of the line belongs to tc, every later one to the client.
 */
function clientArguments(
  given: readonly string[],
  raw: readonly string[],
): readonly string[] {
  const end = raw.indexOf("--");
  if (end === -1) return given;
  const behind = raw.slice(end + 1);
  const before = given.slice(0, given.length - behind.length);
  return [...before.at(-1) === "--" ? before.slice(0, -1) : before, ...behind];
}

async function run(
  shell: Shell,
  args: readonly string[],
  { account, policy, socket }: RunOptions,
): Promise<number> {
  const { output } = shell;
  const own = policy === undefined ? null : policyNamed(policy);
  const claude = claudeProgram(shell);
  const only = account === undefined ? null : await idOf(shell, account);
  if (!await shell.isServing()) {
    if ((await storedAccounts(shell)).accounts.length === 0) throw noAccounts();
    await startInBackground(shell);
    output.say(
      `tc: started a server in the background on ${shell.origin} (tc stop ends it)`,
    );
  }
  if (own !== null) {
    output.say(
      `tc: ${own} chooses the accounts of this launch only`,
    );
  }
  const present = presentVariables(shell);
  using note = await ProjectNote.write(shell.paths.stateFolder);
  const facts = {
    ...await launchFacts(shell, { account: only, made: "login" }),
    ...(isBare(args, present) ? { mode: "token" as const } : {}),
    policy: own,
    project: note.name,
    socket: socket ? openSocket(shell) : null,
  };
  const plan = planLaunch(facts, present, clientSettings(shell, args));
  using settings = plan.settings === null
    ? null
    : await LaunchSettings.write(shell.paths.stateFolder, plan.settings);
  using keeper = new ServerKeeper(shell);
  const code = await runInPlace(
    claude,
    settings === null ? args : withSettings(args, settings.file),
    marked(shell, claude, applied(present, plan.variables)),
    shell.system,
  );
  if (keeper.starts > 0) output.say(restartedText(keeper.starts, shell));
  return code;
}

/** Returns what happened while the client had the screen. */
function restartedText(starts: number, { paths }: Shell): string {
  const times = starts === 1 ? "" : ` ${starts} times`;
  return `tc: the server ended${times} and was started again: see ${paths.stateFolder}/server.log`;
}

/**
 * Returns the id of the account: unlike its name, it is always valid in a
 * header.
 */
async function idOf(shell: Shell, wanted: string): Promise<AccountId> {
  const { desk } = await openDesk(shell);
  return findAccount(await desk.list(), wanted).id;
}

/** Returns the error of a first run. */
function noAccounts(): TcError {
  return new TcError("There are no accounts yet", {
    code: "no_accounts",
    source: "user",
    exitCode: EXIT.needsLogin,
    hint: [
      "tc login         a Claude subscription, in your browser",
      "tc login --api   an Anthropic API key",
      "tc import        what Claude Code or another pool tool holds",
    ].join("\n"),
  });
}

/**
 * The `--settings` file of one launch. It outranks the client's own settings and
 * is removed when the launch ends. It may hold the local key, so it is a private
 * file and never an argument.
 */
/**
 * Age at which files of killed launches are removed; no session lasts as long.
 */
const STALE_MS = 30 * 86_400_000;

class LaunchSettings implements Disposable {
  readonly file: string;

  private constructor(file: string) {
    this.file = file;
  }

  /** Writes `settings` into a private file below the state folder. */
  static async write(
    stateFolder: string,
    settings: Readonly<Record<string, unknown>>,
  ): Promise<LaunchSettings> {
    const folder = await openLaunches(stateFolder);
    const file = join(folder, `${crypto.randomUUID()}.json`);
    Deno.writeTextFileSync(file, JSON.stringify(settings), {
      createNew: true,
      mode: 0o600,
    });
    return new LaunchSettings(file);
  }

  [Symbol.dispose](): void {
    remove(this.file);
  }
}

/**
 * The note of the repository that a launch works in. The server reads it; the
 * client's requests only name it.
 */
class ProjectNote implements Disposable {
  /** The value of the header. */
  readonly name: string;
  readonly #file: string;

  private constructor(name: string, file: string) {
    this.name = name;
    this.#file = file;
  }

  static async write(stateFolder: string): Promise<ProjectNote> {
    const folder = await openLaunches(stateFolder);
    const id = crypto.randomUUID();
    const file = join(folder, `${id}.project`);
    Deno.writeTextFileSync(file, repositoryOf(Deno.cwd()), {
      createNew: true,
      mode: 0o600,
    });
    return new ProjectNote(`@${id}`, file);
  }

  [Symbol.dispose](): void {
    remove(this.#file);
  }
}

/** Returns the folder of what launches leave, without what old ones left. */
async function openLaunches(stateFolder: string): Promise<string> {
  const folder = launchFolder(stateFolder);
  await ensurePrivateFolder(folder);
  removeStale(folder);
  return folder;
}

function removeStale(folder: string): void {
  for (const { name, isFile } of Deno.readDirSync(folder)) {
    if (!isFile) continue;
    const file = join(folder, name);
    const writtenAt = Deno.lstatSync(file).mtime?.getTime() ?? Date.now();
    if (Date.now() - writtenAt > STALE_MS) remove(file);
  }
}

function remove(file: string): void {
  try {
    Deno.removeSync(file);
  } catch {
    // Another launch has removed it, or the folder with it.
  }
}

/**
 * Returns `args` with the file added. The last `--settings` wins and options
 * must precede a subcommand, so the file comes first, or right after the user's
 * own.
 */
export function withSettings(
  args: readonly string[],
  file: string,
): readonly string[] {
  const end = args.indexOf("--");
  const options = end === -1 ? args : args.slice(0, end);
  const last = options.findLastIndex((word) =>
    word === "--settings" || word.startsWith("--settings=")
  );
  const at = last === -1 ? 0 : last + (options[last] === "--settings" ? 2 : 1);
  return [...args.slice(0, at), "--settings", file, ...args.slice(at)];
}

/**
 * Whether the client reads no login: with `--bare`, or the variable that it
 * sets.
 */
function isBare(args: readonly string[], present: Variables): boolean {
  return args.includes("--bare") || Boolean(present["CLAUDE_CODE_SIMPLE"]);
}
