/**
 * `tc doctor`: what is wrong, and what mends it.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { inert } from "../../control/words.ts";
import { EXIT, reasonOf } from "../../errors.ts";
import { commandText } from "../command_table.ts";
import { examine } from "./examine.ts";
import type { Finding, FindingLevel } from "./finding.ts";
import { showPermissions } from "./permissions.ts";
import { presentVariables } from "../launch/launching.ts";
import type { Style } from "../output.ts";
import type { Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

/** `tc doctor` alone: 1 with warnings, 2 with failures. */
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

export function registerDoctor(program: Command, registry: Registry): void {
  program.command("doctor")
    .description(commandText("doctor").summary)
    .option("--fix", "Mend what can be mended without asking")
    .option("--permissions", "Print what each part of tc may touch")
    .option("--prove", "Try to get out of those permissions")
    .option("--json", "Print one JSON object")
    .action(registry.run(async (options) => {
      const shell = new Shell(registry.environment, options);
      if (options.permissions || options.prove) {
        return await showPermissions(shell, {
          isProof: options.prove ?? false,
        });
      }
      return await doctor(shell, { isMending: options.fix ?? false });
    }));
}

async function doctor(
  shell: Shell,
  { isMending }: { readonly isMending: boolean },
): Promise<number> {
  const { output } = shell;
  const patient = { shell, variables: presentVariables() };
  let findings = await examine(patient);
  if (isMending && mend(shell, findings)) findings = await examine(patient);
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

/** Mends what it can; whether it changed anything. */
function mend({ output }: Shell, findings: readonly Finding[]): boolean {
  let hasChanged = false;
  for (const { repair, fix, text } of findings) {
    if (repair === undefined) continue;
    try {
      repair();
      hasChanged = true;
      output.say(`Mended: ${fix}`);
    } catch (cause) {
      const reason = reasonOf(cause);
      output.say(`Cannot mend (${text}): ${reason}`);
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
    const mend = fix === null ? "" : `\n${" ".repeat(8)}fix: ${inert(fix)}`;
    output.line(`${word}${topic.padEnd(width)}${inert(text)}${mend}`);
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
