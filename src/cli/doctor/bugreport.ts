/**
 * `tc bugreport`: writes one file for an issue, without secrets, after listing
 * its parts.
 *
 * @module
 */

import { join } from "node:path";
import type { Command } from "@commander-js/extra-typings";
import { lookUp } from "../../config/config.ts";
import { settingRows } from "../../config/settings.ts";
import { versionText } from "../../release/version.ts";
import { EXIT, reasonOf, TcError } from "../../errors.ts";
import { fileError } from "../../store/files/file_target.ts";
import { askYes, cancelled } from "../asking.ts";
import { examine } from "./examine.ts";
import { presentVariables } from "../launch/launching.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { homeIn } from "../../variables.ts";

const LOG_LINES = 200;
const TELLING = /^(TC_|TEAMCLAUDE_|ANTHROPIC_|CLAUDE_|.*_proxy$)/i;

interface BugreportFlags {
  readonly yes?: boolean | undefined;
  readonly output?: string | undefined;
}

interface Part {
  readonly title: string;
  readonly text: string;
}

const TEXT: CommandText = {
  name: "bugreport",
  group: "more",
  summary:
    "Write a report for an issue: no secrets, and its parts are listed first",
  examples: ["tc bugreport", "tc bugreport --output report.txt --yes"],
  schema: "tc.bugreport/v1",
};

export function registerBugreport(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("--output <file>", "Where to write it", "tc-bugreport.txt")
    .option("--yes", "Write without asking")
    .option("--json", "Print one JSON object")
    .action(
      registry.run((flags) => bugreport(new Shell(registry, flags), flags)),
    );
}

async function bugreport(
  shell: Shell,
  { yes, output: file = "" }: BugreportFlags,
): Promise<number> {
  const { output, environment } = shell;
  const parts = await partsOf(shell);
  output.say(`It will contain, without secrets and e-mail addresses:`);
  for (const { title, text } of parts) {
    output.say(`  ${title} (${text.split("\n").length} lines)`);
  }
  if (!yes && !await askYes(shell, `Write ${file}?`, "tc bugreport --yes")) {
    throw cancelled();
  }
  const home = homeIn(environment, shell.system) ?? "";
  const whole = parts.map(({ title, text }) => `== ${title}\n${text}\n`);
  await writeNew(file, redacted(whole.join("\n"), home));
  if (output.isJson) {
    const titles = parts.map(({ title }) => title);
    output.json({ schema: "tc.bugreport/v1", file, parts: titles });
  } else output.line(`Written: ${file}. Read it before you attach it.`);
  return EXIT.ok;
}

async function partsOf(shell: Shell): Promise<readonly Part[]> {
  const variables = presentVariables(shell);
  const findings = await examine({ shell, variables });
  return [
    { title: "version", text: versionText() },
    {
      title: "doctor",
      text: findings.map(({ level, topic, text, fix }) =>
        `${level} ${topic}: ${text}${fix === null ? "" : ` (fix: ${fix})`}`
      ).join("\n"),
    },
    { title: "settings that differ from the defaults", text: changed(shell) },
    {
      title: "names of variables that are set",
      text: Object.keys(variables).filter((name) => TELLING.test(name))
        .sort().join("\n"),
    },
    { title: `log, last ${LOG_LINES} lines`, text: logTail(shell) },
  ];
}

/** Returns the changed settings, without values that could be secret. */
function changed(shell: Shell): string {
  try {
    const { settings, origins } = shell.config;
    return settingRows().filter(({ key }) => origins.get(key) !== "default")
      .map(({ key, isSecret }) => {
        const value = isSecret
          ? "[secret]"
          : JSON.stringify(lookUp(settings, key));
        return `${key} = ${value} (${origins.get(key)})`;
      }).join("\n");
  } catch (cause) {
    return reasonOf(cause);
  }
}

function logTail({ paths }: Shell): string {
  try {
    const text = Deno.readTextFileSync(join(paths.stateFolder, "server.log"));
    return text.trimEnd().split("\n").slice(-LOG_LINES).join("\n");
  } catch {
    return "there is none";
  }
}

async function writeNew(file: string, text: string): Promise<void> {
  try {
    await Deno.writeTextFile(file, text, { createNew: true, mode: 0o600 });
  } catch (cause) {
    if (cause instanceof Deno.errors.AlreadyExists) {
      throw new TcError(`Cannot write ${file}: it exists already`, {
        code: "cannot_write",
        source: "user",
        exitCode: EXIT.cannotWrite,
        hint: "tc bugreport --output <file>",
        cause,
      });
    }
    // Remove the partial report.
    await Deno.remove(file).catch(() => {});
    throw fileError(`write ${file}`, cause);
  }
}

/** Secrets and names, and what stands in their place. */
const RULES: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\bsk-ant-[A-Za-z0-9_-]+/g, "[secret]"],
  [/\btc-[A-Za-z0-9_-]{24,}/g, "[key]"],
  [/(\/k\/)[^/?#\s"']+/g, "$1[key]"],
  [/\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]+/gi, "$1 [secret]"],
  [
    /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/g,
    "[secret]",
  ],
  // Everything before the host: it may be a password alone, or hold an @.
  [/\/\/[^/\s"']+@/g, "//[secret]@"],
  // Anchored at the beginning of a word: a match from each letter of a long word
  // would take quadratic time.
  [
    /(?<![\p{L}\p{N}._%+-])[\p{L}\p{N}._%+-]+@[\p{L}\p{N}.-]{1,253}\.\p{L}{2,63}/gu,
    "[e-mail]",
  ],
];

/** Returns `text` without secrets, e-mail addresses and the home folder. */
export function redacted(text: string, home: string): string {
  let result = home.length > 1 ? text.replaceAll(home, "~") : text;
  for (const [pattern, instead] of RULES) {
    result = result.replace(pattern, instead);
  }
  return result;
}
