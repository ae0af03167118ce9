/**
 * `tc service`: tc under systemd, launchd or the Windows task scheduler.
 *
 * @module
 */

import { dirname, join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { StrangerError } from "../../control/client.ts";
import {
  launchdSession,
  type ServicePlan,
  servicePlan,
  systemOf,
} from "../../service/plan.ts";
import { systemClock } from "../../system/clock.ts";
import { systemRunner } from "../../system/command_runner.ts";
import { isNotRunning } from "../accounts/account_work.ts";
import { stopServer } from "../server/stop.ts";
import { isThere, PATH_VARIABLES, writtenFolders } from "../../system/paths.ts";
import { EXIT, TcError } from "../../errors.ts";
import {
  askManager,
  runSteps,
  type ServiceCommand,
} from "../../service/steps.ts";
import { lastingProgram } from "../../service/program.ts";
import { lastingCommand } from "../../system/own_command.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { homeIn } from "../../variables.ts";

const PORTS = { runner: systemRunner, clock: systemClock };

/** Variables that select another pool than the user's default. */
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
      "Stop it once open streams have finished",
      stop,
    ],
    ["status", "Print what the service manager knows about it", status],
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
      .option("--dry-run", "Print what would be done, and do nothing")
      .option("--json", "Print one JSON object")
      .action(registry.run(async (flags) => {
        const shell = new Shell(registry, flags);
        return await work(shell, await planOf(shell), flags);
      }));
  }
}

/** Returns the plan for this user, machine and pool. */
export async function planOf(shell: Shell): Promise<ServicePlan> {
  const [program = ""] = lastingCommand([], shell.system);
  const session = shell.system === "darwin"
    ? await launchdSession(String(Deno.uid()), systemRunner)
    : "gui";
  return planFor(shell, lastingProgram(program), session);
}

/** Returns the same plan for another program. */
export function planFor(
  shell: Shell,
  program: string,
  session: "gui" | "user" = "gui",
): ServicePlan {
  const { environment, paths, config } = shell;
  const home = homeIn(environment, shell.system) ?? "";
  const variables = Object.fromEntries(
    POOL_VARIABLES.flatMap((name) => {
      const value = environment[name];
      return value ? [[name, value]] : [];
    }),
  );
  return servicePlan(systemOf(shell.system), {
    program,
    home,
    configHome: environment["XDG_CONFIG_HOME"] || join(home, ".config"),
    variables,
    folders: writtenFolders(paths),
    logFile: join(paths.stateFolder, "server.log"),
    user: shell.system === "windows"
      ? environment["USERNAME"] ?? ""
      : String(Deno.uid()),
    session,
    drainSec: Math.ceil(config.settings.timeouts.drainMs / 1000),
  });
}

/**
 * Throws TcError if tc runs from source: the service would start the wrong
 * program.
 */
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
  await endServer(shell, plan);
  await runSteps(plan.install, PORTS);
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
  const wasThere = isThere(plan.file);
  if (dryRun) {
    for (const { command } of plan.uninstall) output.line(command.join(" "));
    if (wasThere) output.line(`remove ${plan.file}`);
    return EXIT.ok;
  }
  await endServer(shell, plan);
  for (const step of plan.uninstall) {
    // A service that is not running cannot be stopped; remove the file anyway.
    await runSteps([step], PORTS).catch(() => {});
  }
  await Deno.remove(plan.file).catch((cause) => {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
  });
  if (output.isJson) {
    output.json({ schema: "tc.service/v1", installed: false, file: plan.file });
  } else {
    output.line(
      wasThere
        ? `Removed: ${plan.file}`
        : `Nothing to remove: ${plan.file} is not there`,
    );
  }
  return EXIT.ok;
}

async function stop(shell: Shell, plan: ServicePlan): Promise<number> {
  const wasEnded = await endServer(shell, plan);
  // A task that has already ended cannot be ended.
  return await one(shell, plan.stop, { mayFail: wasEnded });
}

/**
 * Stops the server gracefully if its manager would kill it. Returns whether it
 * did.
 */
async function endServer(
  shell: Shell,
  { endsHard }: Pick<ServicePlan, "endsHard">,
): Promise<boolean> {
  if (!endsHard) return false;
  try {
    await stopServer(shell);
    return true;
  } catch (cause) {
    if (isNotRunning(cause) || cause instanceof StrangerError) return false;
    throw cause;
  }
}

async function one(
  shell: Shell,
  command: ServiceCommand,
  options: { readonly mayFail?: boolean } = {},
): Promise<number> {
  await runSteps([{ command, ...options }], PORTS);
  const { output } = shell;
  if (output.isJson) output.json({ schema: "tc.service/v1", command });
  else output.line(`Done: ${command.join(" ")}`);
  return EXIT.ok;
}

async function status(shell: Shell, plan: ServicePlan): Promise<number> {
  const { output } = shell;
  const outcome = await askManager(plan.status, systemRunner);
  const isRunning = outcome.kind === "exited" && outcome.code === 0;
  const isInstalled = isThere(plan.file);
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
  } else output.line(`${plan.status[0]} cannot be asked`);
  return isRunning ? EXIT.ok : EXIT.notRunning;
}

function print({ output }: Shell, plan: ServicePlan): number {
  if (output.isJson) {
    output.json({ schema: "tc.service/v1", ...plan });
    return EXIT.ok;
  }
  output.say(`The file ${plan.file}:`);
  output.raw(plan.text);
  output.say("and then:");
  for (const { command } of plan.install) output.say(`  ${command.join(" ")}`);
  return EXIT.ok;
}
