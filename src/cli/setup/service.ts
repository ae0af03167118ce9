/**
 * `tc service`: tc under systemd, launchd or the Windows task scheduler.
 *
 * @module
 */

import { dirname, join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { systemRunner } from "../../system/command_runner.ts";
import { PATH_VARIABLES, writtenFolders } from "../../system/paths.ts";
import { EXIT, TcError } from "../../errors.ts";
import {
  type ServiceCommand,
  type ServicePlan,
  servicePlan,
  systemOf,
} from "../../service/plan.ts";
import { lastingProgram } from "../../service/program.ts";
import { lastingCommand } from "../../system/own_command.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { homeIn } from "../../variables.ts";

const COMMAND_MS_MAX = 90_000;

/** Variables that lead to another pool than the user's usual one. */
const POOL_VARIABLES = PATH_VARIABLES.filter((name) =>
  /^(XDG_|TC_|TEAMCLAUDE_)/.test(name)
);

interface ServiceFlags {
  readonly json?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
}

type Work = (
  shell: Shell,
  plan: ServicePlan,
  flags: ServiceFlags,
) => Promise<number> | number;

const ACTIONS: readonly (readonly [name: string, help: string, work: Work])[] =
  [
    ["install", "Install the service of this user and start it", install],
    ["uninstall", "Stop the service and remove it", uninstall],
    [
      "start",
      "Start the installed service",
      (shell, { start }) => one(shell, start),
    ],
    [
      "stop",
      "Stop it; its streams may end",
      (shell, { stop }) => one(shell, stop),
    ],
    ["status", "Say what the service manager knows of it", status],
    ["print", "Print the file and the commands of an installation", print],
  ];

const TEXT: CommandText = {
  name: "service",
  group: "server",
  summary: "Run tc under systemd, launchd or the Windows task scheduler",
  examples: [
    "tc service install",
    "tc service status",
    "tc service print",
    "tc service uninstall --dry-run",
  ],
  schema: "tc.service/v1",
};

export function registerService(program: Command, registry: Registry): void {
  const service = addCommand(program, registry, TEXT);
  for (const [name, help, work] of ACTIONS) {
    service.command(name)
      .description(help)
      .option("--dry-run", "Say what would be done, and do nothing")
      .option("--json", "Print one JSON object")
      .action(registry.run((flags) => {
        const shell = new Shell(registry.environment, flags);
        return work(shell, planOf(shell), flags);
      }));
  }
}

/** The plan for this user, machine and pool. */
export function planOf(shell: Shell): ServicePlan {
  const [program = ""] = lastingCommand([]);
  return planFor(shell, lastingProgram(program));
}

/** The same for another program than this one. */
export function planFor(shell: Shell, program: string): ServicePlan {
  const { environment, paths, config } = shell;
  const home = homeIn(environment, Deno.build.os) ?? "";
  const variables = Object.fromEntries(
    POOL_VARIABLES.flatMap((name) => {
      const value = environment[name];
      return value ? [[name, value]] : [];
    }),
  );
  return servicePlan(systemOf(Deno.build.os), {
    program,
    home,
    configHome: environment["XDG_CONFIG_HOME"] || join(home, ".config"),
    variables,
    folders: writtenFolders(paths),
    logFile: join(paths.stateFolder, "server.log"),
    user: Deno.build.os === "windows"
      ? environment["USERNAME"] ?? ""
      : String(Deno.uid()),
    drainSec: Math.ceil(config.settings.timeouts.drainMs / 1000),
  });
}

/** From source the service would run the wrong program. */
function checkProgram(): void {
  if (Deno.build.standalone) return;
  throw new TcError("Cannot install a service of tc run from source", {
    code: "no_binary",
    source: "user",
    hint: "deno task compile   makes the program to install",
  });
}

async function install(
  shell: Shell,
  plan: ServicePlan,
  { dryRun }: ServiceFlags,
): Promise<number> {
  if (dryRun) return print(shell, plan);
  checkProgram();
  for (const folder of [dirname(plan.file), ...writtenFolders(shell.paths)]) {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  }
  await Deno.writeTextFile(plan.file, plan.text, { mode: 0o644 });
  for (const command of plan.install) await run(command);
  const { output } = shell;
  if (output.isJson) {
    output.json({ schema: "tc.service/v1", installed: true, file: plan.file });
    return EXIT.ok;
  }
  output.line(`Installed and started: ${plan.file}`);
  if (plan.hint !== null) output.say(`  ${plan.hint}`);
  return EXIT.ok;
}

async function uninstall(
  shell: Shell,
  plan: ServicePlan,
  { dryRun }: ServiceFlags,
): Promise<number> {
  const { output } = shell;
  if (dryRun) {
    for (const command of plan.uninstall) output.line(command.join(" "));
    output.line(`remove ${plan.file}`);
    return EXIT.ok;
  }
  for (const command of plan.uninstall) {
    // Whatever is not running cannot be stopped: the file goes all the same.
    await run(command).catch(() => {});
  }
  await Deno.remove(plan.file).catch((cause) => {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  });
  if (output.isJson) {
    output.json({ schema: "tc.service/v1", installed: false, file: plan.file });
  } else output.line(`Removed: ${plan.file}`);
  return EXIT.ok;
}

async function one(shell: Shell, command: ServiceCommand): Promise<number> {
  await run(command);
  const { output } = shell;
  if (output.isJson) output.json({ schema: "tc.service/v1", command });
  else output.line(`Done: ${command.join(" ")}`);
  return EXIT.ok;
}

async function status(shell: Shell, plan: ServicePlan): Promise<number> {
  const { output } = shell;
  const [program, ...args] = plan.status;
  const outcome = await systemRunner.run(program, args, {
    stdin: "",
    timeoutMs: COMMAND_MS_MAX,
  });
  const isRunning = outcome.kind === "exited" && outcome.code === 0;
  const isInstalled = await isThere(plan.file);
  if (output.isJson) {
    output.json({
      schema: "tc.service/v1",
      installed: isInstalled,
      running: isRunning,
      file: plan.file,
    });
  } else if (!isInstalled) {
    output.line("Not installed.  tc service install   installs it");
  } else if (outcome.kind === "exited") {
    output.raw(outcome.stdout || outcome.stderr);
  } else output.line(`${program} cannot be asked`);
  return isRunning ? EXIT.ok : EXIT.notRunning;
}

async function isThere(file: string): Promise<boolean> {
  return (await Deno.stat(file).catch(() => null))?.isFile ?? false;
}

function print({ output }: Shell, plan: ServicePlan): number {
  if (output.isJson) {
    output.json({ schema: "tc.service/v1", ...plan });
    return EXIT.ok;
  }
  output.say(`The file ${plan.file}:`);
  output.raw(plan.text);
  output.say("and then:");
  for (const command of plan.install) output.say(`  ${command.join(" ")}`);
  return EXIT.ok;
}

async function run([program, ...args]: ServiceCommand): Promise<void> {
  const outcome = await systemRunner.run(program, args, {
    stdin: "",
    timeoutMs: COMMAND_MS_MAX,
  });
  if (outcome.kind === "exited" && outcome.code === 0) return;
  const why = outcome.kind === "missing"
    ? "there is no such program"
    : outcome.kind === "timed_out"
    ? "it did not end in time"
    : (outcome.stderr || outcome.stdout).trim() || `code ${outcome.code}`;
  throw new TcError(`Cannot run ${[program, ...args].join(" ")}: ${why}`, {
    code: "service_failed",
    exitCode: EXIT.unavailable,
    hint: "tc service print   shows the file and the commands",
  });
}
