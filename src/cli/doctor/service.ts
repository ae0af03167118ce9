/**
 * Checks the service: whether its file starts this program, and what its
 * manager says about it.
 *
 * @module
 */

import { findProgram } from "../../claude/launch.ts";
import { systemRunner } from "../../system/command_runner.ts";
import { SERVICE_NAME, type ServicePlan } from "../../service/plan.ts";
import { programIn } from "../../service/program.ts";
import { planFor, planOf } from "../setup/service.ts";
import { lastingCommand } from "../../system/own_command.ts";
import {
  type DoctorContext,
  failure,
  type Finding,
  fine,
  warning,
} from "./finding.ts";
import { isSameFile } from "./programs.ts";

const TOPIC = "service";
const INSTALL = "tc service install";
const MANAGER_MS_MAX = 5_000;

/**
 * Properties to ask systemd for. Reference: systemctl(1),
 * org.freedesktop.systemd1(5).
 */
const ASKED = ["UnitFileState", "ActiveState", "NeedDaemonReload", "Result"];

/** Checks the service's file and manager; one line if there is no service. */
export async function checkService(
  context: DoctorContext,
): Promise<readonly Finding[]> {
  const plan = await planOf(context.shell);
  const text = await Deno.readTextFile(plan.file).catch((cause) => {
    if (cause instanceof Deno.errors.NotFound) return null;
    throw cause;
  });
  if (text === null) {
    return [fine(TOPIC, `none is installed: ${INSTALL}`)];
  }
  const findings = [
    fileFinding(context, plan, text),
    ...plan.system === "systemd"
      ? await systemdFindings(context, plan)
      : await managerFindings(plan),
  ].filter((finding) => finding !== null);
  return findings.length > 0 ? findings : [fine(TOPIC, plan.file)];
}

/** Returns the worst problem of the file, or null. */
function fileFinding(
  { shell, variables }: DoctorContext,
  { system, file }: ServicePlan,
  text: string,
): Finding | null {
  const program = programIn(system, text);
  if (program === null) {
    return failure(TOPIC, `${file} names no program`, INSTALL);
  }
  if (!isFile(program)) {
    return failure(
      TOPIC,
      `it starts ${program}, which is not there`,
      `${INSTALL}   writes it anew`,
    );
  }
  const own = ownProgram({ variables, shell });
  if (own !== null && !isSameFile(program, own)) {
    return warning(
      TOPIC,
      `it starts ${program}, and this is ${own}`,
      `${INSTALL}   makes it this one`,
    );
  }
  if (text === planFor(shell, program).text) return null;
  return warning(
    TOPIC,
    `${file} is of another version or another pool, or changed by hand`,
    `${INSTALL}   writes it anew; tc service print   shows how`,
  );
}

/** Returns this program; null from source, where there is none to start. */
function ownProgram({ variables, shell }: DoctorContext): string | null {
  const named = variables["TC_DOCTOR_PROGRAM"];
  if (named) return named;
  return Deno.build.standalone
    ? lastingCommand([], shell.system)[0] ?? null
    : null;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

async function systemdFindings(
  context: DoctorContext,
  plan: ServicePlan,
): Promise<readonly (Finding | null)[]> {
  const says = await systemdSays(context);
  if (says === null) {
    return [fine(TOPIC, `${plan.file}; systemd does not answer here`)];
  }
  const state = says.get("ActiveState");
  return [
    says.get("NeedDaemonReload") !== "yes" ? null : warning(
      TOPIC,
      "its file has changed since systemd read it",
      "systemctl --user daemon-reload",
    ),
    says.get("UnitFileState") !== "disabled" ? null : warning(
      TOPIC,
      "it is not enabled: nothing starts it when you log in",
      `systemctl --user enable ${SERVICE_NAME}.service`,
    ),
    state === "failed"
      ? failure(
        TOPIC,
        `it has failed (${says.get("Result") ?? "unknown"})`,
        `journalctl --user -u ${SERVICE_NAME}   says why`,
      )
      : state === "inactive"
      ? warning(TOPIC, "it is installed and not running", "tc service start")
      : null,
  ];
}

/** Returns what systemd knows, by name; null if it does not answer. */
async function systemdSays(
  { variables, shell }: DoctorContext,
): Promise<ReadonlyMap<string, string> | null> {
  const program = findProgram("systemctl", {
    path: variables["PATH"] ?? "",
    system: shell.system,
    extensions: shell.environment["PATHEXT"] ?? "",
  });
  if (program === null) return null;
  const outcome = await systemRunner.run(program, [
    "--user",
    "show",
    `${SERVICE_NAME}.service`,
    `--property=${ASKED.join(",")}`,
  ], { stdin: "", timeoutMs: MANAGER_MS_MAX });
  if (outcome.kind !== "exited" || outcome.code !== 0) return null;
  const lines = outcome.stdout.split("\n").map((line) => line.split("="));
  return new Map(lines.map(([name = "", value = ""]) => [name, value]));
}

/**
 * Returns what other managers say: only their exit code tells whether they know
 * it.
 */
async function managerFindings(
  { status: [program, ...args] }: ServicePlan,
): Promise<readonly Finding[]> {
  const outcome = await systemRunner.run(program, args, {
    stdin: "",
    timeoutMs: MANAGER_MS_MAX,
  });
  if (outcome.kind !== "exited" || outcome.code === 0) return [];
  return [
    warning(TOPIC, "its manager does not know it", `${INSTALL}   tells it`),
  ];
}
