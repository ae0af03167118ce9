/**
 * The doctor's look at programs: Claude Code with its environment and
 * settings, and which `tc` the shell finds.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { findProgram } from "../../claude/launch.ts";
import { systemRunner } from "../../app/command_runner.ts";
import {
  failure,
  type Finding,
  fine,
  type Patient,
  warning,
} from "./finding.ts";

const TOPIC = "claude code";

/** Variables by which Claude Code would pass tc by. */
const CONFLICTS: readonly (readonly [name: string, effect: string])[] = [
  ["ANTHROPIC_API_KEY", "is set and wins over any login"],
  ["CLAUDE_CODE_USE_BEDROCK", "leads Claude Code to Bedrock"],
  ["CLAUDE_CODE_USE_VERTEX", "leads Claude Code to Vertex"],
  ["ANTHROPIC_UNIX_SOCKET", "leads Claude Code to another socket"],
];

/** Whether Claude Code is there, and its version. */
export async function checkClaude(
  { shell, variables }: Patient,
): Promise<readonly Finding[]> {
  const claude = findProgram("claude", {
    path: variables["PATH"] ?? "",
    system: Deno.build.os,
    extensions: shell.environment["PATHEXT"] ?? ".exe;.cmd",
  });
  if (claude === null) {
    return [
      failure(
        TOPIC,
        "is not on PATH",
        "install it: https://code.claude.com/docs",
      ),
    ];
  }
  const outcome = await systemRunner.run(claude, ["--version"], {
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

/** Variables that lead Claude Code past tc. */
export function checkVariables(
  { shell, variables }: Patient,
): Promise<readonly Finding[]> {
  const findings = CONFLICTS.filter(([name]) => variables[name]).map((
    [name, effect],
  ) =>
    warning(
      TOPIC,
      `${name} ${effect}`,
      `unset ${name}, or start with tc run`,
    )
  );
  const base = variables["ANTHROPIC_BASE_URL"];
  if (base && !isOurs(base, shell)) {
    findings.push(warning(
      TOPIC,
      "ANTHROPIC_BASE_URL leads elsewhere than to this tc",
      'eval "$(tc env)", or start with tc run',
    ));
  }
  return Promise.resolve(findings);
}

function isOurs(base: string, shell: Patient["shell"]): boolean {
  try {
    return base === shell.origin || base.startsWith(`${shell.origin}/`);
  } catch {
    // A broken config has a finding of its own.
    return true;
  }
}

/** Settings of Claude Code that outrank the environment. */
export function checkClaudeSettings(
  { shell, variables }: Patient,
): Promise<readonly Finding[]> {
  const home = variables["HOME"] ?? variables["USERPROFILE"] ?? "";
  const folder = variables["CLAUDE_CONFIG_DIR"] || join(home, ".claude");
  const file = join(folder, "settings.json");
  let text: string;
  try {
    if (!Deno.statSync(file).isFile) return Promise.resolve([]);
    text = Deno.readTextFileSync(file);
  } catch {
    // Most people have none.
    return Promise.resolve([]);
  }
  const settings = parsed(text);
  if (settings === null) {
    return Promise.resolve([
      failure(TOPIC, `${file} is not JSON`, "claude doctor   says where"),
    ]);
  }
  const findings: Finding[] = [];
  if (typeof settings["apiKeyHelper"] === "string") {
    findings.push(warning(
      TOPIC,
      `apiKeyHelper in ${file} outranks the login`,
      "tc swap status   says whether it is ours",
    ));
  }
  const env = settings["env"];
  const set = typeof env === "object" && env !== null
    ? env as Record<string, unknown>
    : {};
  const base = set["ANTHROPIC_BASE_URL"];
  if (typeof base === "string" && !isOurs(base, shell)) {
    findings.push(warning(
      TOPIC,
      `env.ANTHROPIC_BASE_URL in ${file} leads elsewhere`,
      `take it out of ${file}`,
    ));
  }
  for (const [name, effect] of CONFLICTS) {
    if (set[name]) {
      findings.push(
        warning(TOPIC, `env.${name} in ${file} ${effect}`, `remove it there`),
      );
    }
  }
  return Promise.resolve(findings);
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null
      ? value as Record<string, unknown>
      : null;
  } catch {
    return null;
  }
}

/** Which `tc` the shell finds: Linux has a traffic control of that name. */
export function checkName(
  { shell, variables }: Patient,
): Promise<readonly Finding[]> {
  // From source there is no program of ours to be found.
  if (!Deno.build.standalone && !variables["TC_DOCTOR_PROGRAM"]) {
    return Promise.resolve([]);
  }
  const own = variables["TC_DOCTOR_PROGRAM"] || Deno.execPath();
  const found = findProgram("tc", {
    path: variables["PATH"] ?? "",
    system: Deno.build.os,
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
    warning("name", text, `export PATH="${folder}:$PATH"`),
  ]);
}

/** Whether two paths lead to one file. */
export function isSameFile(a: string, b: string): boolean {
  try {
    return Deno.realPathSync(a) === Deno.realPathSync(b);
  } catch {
    return false;
  }
}
