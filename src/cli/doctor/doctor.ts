/**
 * `tc doctor`: finds what is wrong and says how to fix it. With `--permissions`
 * it prints what each part of tc may touch, and `--prove` tries to break out.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { inert } from "../../control/words.ts";
import { EXIT, reasonOf } from "../../errors.ts";
import { storeAddress } from "../../store/shared/address.ts";
import { examine } from "./examine.ts";
import type { Finding, FindingLevel } from "./finding.ts";
import { presentVariables } from "../launch/launching.ts";
import type { Style } from "../output.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import type { FenceAttempt } from "../../server/fence.ts";
import { proveFence } from "../../server/fence_proof.ts";
import {
  type Grants,
  grantSources,
  workerGrants,
} from "../../server/permissions.ts";

/** Exit codes of `tc doctor`: 1 with warnings, 2 with failures. */
const EXIT_OF: Readonly<Record<FindingLevel, number>> = {
  ok: EXIT.ok,
  warn: 1,
  fail: 2,
};

const STYLE_OF: Readonly<Record<FindingLevel, Style>> = {
  ok: "good",
  warn: "careful",
  fail: "bad",
};

const TEXT: CommandText = {
  name: "doctor",
  group: "more",
  summary: "Find problems and suggest a fix for each: exit 0, 1 or 2",
  examples: ["tc doctor", "tc doctor --fix", "tc doctor --permissions"],
  schema: "tc.doctor/v1",
};

export function registerDoctor(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("--fix", "Fix what can be fixed without asking")
    .option("--permissions", "Print what each part of tc may touch")
    .option("--prove", "Test the sandbox by trying to break out")
    .option("--json", "Print one JSON object")
    .action(registry.run(async (options) => {
      const shell = new Shell(registry, options);
      if (options.permissions || options.prove) {
        return await showPermissions(shell, {
          isProof: options.prove ?? false,
        });
      }
      return await doctor(shell, { isFixing: options.fix ?? false });
    }));
}

async function doctor(
  shell: Shell,
  { isFixing }: { readonly isFixing: boolean },
): Promise<number> {
  const { output } = shell;
  const context = { shell, variables: presentVariables(shell) };
  let findings = await examine(context);
  if (isFixing && fixAll(shell, findings)) findings = await examine(context);
  const worst = worstOf(findings);
  if (output.isJson) {
    output.json({
      schema: "tc.doctor/v1",
      verdict: worst,
      findings: findings.map(({ level, topic, text, fix }) => ({
        level,
        topic,
        text,
        fix,
      })),
    });
    return EXIT_OF[worst];
  }
  print(shell, findings);
  return EXIT_OF[worst];
}

/** Fixes what it can. Returns whether it changed anything. */
function fixAll({ output }: Shell, findings: readonly Finding[]): boolean {
  let hasChanged = false;
  for (const { repair, fix, text } of findings) {
    if (repair === undefined) continue;
    try {
      repair();
      hasChanged = true;
      output.say(`Fixed: ${fix}`);
    } catch (cause) {
      const reason = reasonOf(cause);
      output.say(`Cannot fix (${text}): ${reason}`);
    }
  }
  return hasChanged;
}

function worstOf(findings: readonly Finding[]): FindingLevel {
  const levels = findings.map(({ level }) => level);
  return levels.includes("fail")
    ? "fail"
    : levels.includes("warn")
    ? "warn"
    : "ok";
}

function print({ output }: Shell, findings: readonly Finding[]): void {
  const width = Math.max(...findings.map(({ topic }) => topic.length)) + 2;
  for (const { level, topic, text, fix } of findings) {
    const word = output.paint(STYLE_OF[level], level.padEnd(6));
    const advice = fix === null ? "" : `\n${" ".repeat(8)}fix: ${inert(fix)}`;
    output.line(`${word}${topic.padEnd(width)}${inert(text)}${advice}`);
  }
  const count = (wanted: FindingLevel) =>
    findings.filter(({ level }) => level === wanted).length;
  const failures = plural(count("fail"), "failure");
  const warnings = plural(count("warn"), "warning");
  output.line(
    `${failures}, ${warnings}. Nothing above contains a secret; it is safe to paste.`,
  );
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** The permissions of the main thread and why; the compile script sets them. */
const MAIN_THREAD: readonly (readonly [kind: string, why: string])[] = [
  ["read, write", "your config, vault, log, and Claude Code's own files"],
  ["env", "all: tc run hands the environment on to Claude Code"],
  ["run", "claude, the keychain's tool, the browser, the service manager"],
  ["net", "asking a running server; given up while a server runs here"],
  ["sys", "your user name and id; given up while a server runs here"],
  ["ffi, import", "never: no native code, no code from outside"],
];

/** Prints the grants. Returns an exit code for whether the fence held. */
async function showPermissions(
  shell: Shell,
  { isProof }: { readonly isProof: boolean },
): Promise<number> {
  const { output } = shell;
  const membership = await shell.membership();
  const grants = workerGrants(
    grantSources(
      shell,
      membership === null ? null : storeAddress(membership.url),
    ),
  );
  const proof = isProof ? await proveFence(grants, shell.paths) : null;
  const attempts = [...proof?.worker ?? [], ...proof?.main ?? []];
  const hasHeld = attempts.every(({ outcome }) => outcome === "refused") &&
    (proof?.arrivals ?? 0) === 0;
  if (output.isJson) {
    output.json({
      schema: "tc.permissions/v1",
      server: grants,
      main: MAIN_THREAD.map(([kind, why]) => ({ kind, why })),
      proof: proof === null ? null : { ...proof, hasHeld },
    });
    return hasHeld ? EXIT.ok : EXIT.failed;
  }
  printGrants(shell, grants);
  if (proof !== null) {
    printAttempts(shell, "Tried by the server", proof.worker);
    printAttempts(shell, "Tried by the main thread", proof.main);
    output.line();
    output.line(
      hasHeld
        ? `All ${attempts.length} attempts were refused.`
        : "The fence did not hold: please report this.",
    );
  }
  return hasHeld ? EXIT.ok : EXIT.failed;
}

function printGrants({ output }: Shell, grants: Grants): void {
  output.line("The server, in a thread of its own:");
  for (const host of grants.net) output.line(`  net    ${host}`);
  for (const path of grants.read) {
    const isWritten = grants.write.includes(path);
    output.line(`  files  ${path}${isWritten ? "" : " (reading)"}`);
  }
  output.line("  never  env, run, sys, ffi, import");
  output.line();
  output.line("The main thread (command line, dashboard, start and stop):");
  for (const [kind, why] of MAIN_THREAD) {
    output.line(`  ${kind.padEnd(13)}${why}`);
  }
}

function printAttempts(
  { output }: Shell,
  title: string,
  attempts: readonly FenceAttempt[],
): void {
  output.line();
  output.line(`${title}:`);
  for (const { kind, what, outcome } of attempts) {
    const word = output.paint(outcome === "refused" ? "good" : "bad", outcome);
    output.line(`  ${word}  ${kind.padEnd(6)} ${what}`);
  }
}
