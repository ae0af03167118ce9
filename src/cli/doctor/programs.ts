/**
 * Checks programs: Claude Code with its environment and settings, and which
 * `tc` the shell finds.
 *
 * @module
 */

import { dirname } from "node:path";
import { findProgram, programCommand } from "../../claude/launch.ts";
import { systemRunner } from "../../system/command_runner.ts";
import { helperCommand } from "../../claude/api_key_helper.ts";
import { claudeFolder } from "../../claude/claude_folder.ts";
import { objectIn, type SettingsLayer } from "../../claude/client_settings.ts";
import {
  type LoginRival,
  loginRivals,
  rivalText,
} from "../../claude/login/own_login.ts";
import { clientSettings } from "../launch/launching.ts";
import { folderFacts } from "../login/login_stores.ts";
import { ownCommand } from "../../system/own_command.ts";
import {
  type DoctorContext,
  failure,
  type Finding,
  fine,
  warning,
} from "./finding.ts";
import {
  evaluated,
  firstOnPath,
  type PersonShell,
  setVariable,
} from "../../shell_words.ts";

const TOPIC = "claude code";

/** Checks whether Claude Code is installed, and its version. */
export async function checkClaude(
  { shell, variables }: DoctorContext,
): Promise<readonly Finding[]> {
  const search = {
    path: variables["PATH"] ?? "",
    system: shell.system,
    extensions: shell.environment["PATHEXT"] ?? "",
  };
  const claude = findProgram("claude", search);
  if (claude === null) {
    return [
      failure(
        TOPIC,
        "is not on PATH",
        "install it: https://code.claude.com/docs",
      ),
    ];
  }
  const [program, ...first] = programCommand(claude, search);
  const outcome = await systemRunner.run(program, [...first, "--version"], {
    stdin: "",
    timeoutMs: 10_000,
  }).catch(() => null);
  const version = outcome?.kind === "exited"
    ? /\d+\.\d+\.\d+/.exec(outcome.stdout)?.[0]
    : undefined;
  if (version !== undefined) return [fine(TOPIC, `${version}, found on PATH`)];
  return [
    warning(TOPIC, `${claude} does not tell its version`, "claude update"),
  ];
}

/**
 * Checks for what makes Claude Code bypass tc or outranks its login, everywhere
 * it looks: the environment, and the settings of user, project, local and
 * administrator for the working directory.
 */
export function checkClaudeSettings(
  { shell, variables }: DoctorContext,
): Promise<readonly Finding[]> {
  const layers = clientSettings(shell, []);
  const helper = helperCommand(ownCommand(["swap", "helper"]), shell.system);
  return Promise.resolve([
    ...brokenSettings(shell),
    ...loginRivals(variables, layers, helper)
      .map((rival) => rivalFinding(rival, shell.person)),
    ...addresses(variables, layers)
      .filter(({ value }) => !isOurs(value, shell))
      .map((address) => addressFinding(address, shell.person)),
  ]);
}

function rivalFinding(rival: LoginRival, person: PersonShell): Finding {
  const { name, source, isManaged, uses } = rival;
  const text = `${rivalText(rival)} makes Claude Code use ${uses}`;
  if (isManaged) {
    return failure(
      TOPIC,
      `${text}, and no launch undoes it`,
      "ask your administrator",
    );
  }
  const fix = source === "the environment"
    ? `${setVariable(person, name, null)}, or start with tc run`
    : `take it out of ${source}, or start with tc run`;
  return warning(TOPIC, text, fix);
}

interface Address {
  readonly name: string;
  readonly source: string;
  readonly value: string;
  readonly isManaged: boolean;
}

/** Returns the addresses that requests are sent to, by the layer that wins. */
function addresses(
  variables: DoctorContext["variables"],
  layers: readonly SettingsLayer[],
): readonly Address[] {
  return ["ANTHROPIC_BASE_URL", "ANTHROPIC_UNIX_SOCKET"].flatMap((name) => {
    const places = [
      { source: "the environment", isManaged: false, env: variables },
      ...layers,
    ];
    const place = places.findLast(({ env }) => env[name] !== undefined);
    const value = place?.env[name] ?? "";
    if (place === undefined || value === "") return [];
    const { source, isManaged } = place;
    return [{ name, source, value, isManaged }];
  });
}

function addressFinding(
  { name, source, isManaged }: Address,
  person: PersonShell,
): Finding {
  const text = `${name} in ${source} leads elsewhere than to this tc`;
  if (isManaged) {
    return failure(
      TOPIC,
      `${text}, and no launch undoes it`,
      "ask your administrator",
    );
  }
  return warning(
    TOPIC,
    text,
    source === "the environment"
      ? `${evaluated(person, "tc env")}, or start with tc run`
      : `take it out of ${source}, or start with tc run`,
  );
}

/**
 * Checks the settings file: Claude Code ignores all of it if it is not JSON.
 */
function brokenSettings(shell: DoctorContext["shell"]): readonly Finding[] {
  const { settingsFile } = claudeFolder(folderFacts(shell));
  let text: string;
  try {
    if (!Deno.statSync(settingsFile).isFile) return [];
    text = Deno.readTextFileSync(settingsFile);
  } catch {
    // Most users have none.
    return [];
  }
  return objectIn(text) === null
    ? [
      failure(
        TOPIC,
        `${settingsFile} is not JSON: nothing of it is in effect`,
        "claude doctor   says where",
      ),
    ]
    : [];
}

function isOurs(base: string, shell: DoctorContext["shell"]): boolean {
  try {
    return base === shell.origin || base.startsWith(`${shell.origin}/`);
  } catch {
    // Another check reports a broken config.
    return true;
  }
}

/**
 * Checks which `tc` the shell finds: Linux has a traffic control program of
 * that name.
 */
export function checkName(
  { shell, variables }: DoctorContext,
): Promise<readonly Finding[]> {
  // From source there is no program to be found.
  if (!Deno.build.standalone && !variables["TC_DOCTOR_PROGRAM"]) {
    return Promise.resolve([]);
  }
  const own = variables["TC_DOCTOR_PROGRAM"] || Deno.execPath();
  const found = findProgram("tc", {
    path: variables["PATH"] ?? "",
    system: shell.system,
    extensions: shell.environment["PATHEXT"] ?? ".exe;.cmd",
  });
  if (found !== null && isSameFile(found, own)) {
    return Promise.resolve([fine("name", `tc is ${found}`)]);
  }
  const folder = dirname(own);
  const text = found === null
    ? `${folder} is not on PATH`
    : `tc is ${found}: another program of that name comes first`;
  return Promise.resolve([
    warning("name", text, firstOnPath(shell.person, folder)),
  ]);
}

/** Returns whether two paths lead to one file. */
export function isSameFile(a: string, b: string): boolean {
  try {
    return Deno.realPathSync(a) === Deno.realPathSync(b);
  } catch {
    return false;
  }
}
