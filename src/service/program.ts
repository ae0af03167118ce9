/**
 * The program of a service: which path to write down, and which one a text
 * that was written down names.
 *
 * @module
 */

import type { ServiceSystem } from "./plan.ts";
import { plainXml } from "./xml.ts";

/**
 * A path to `program` that outlives its next version: Homebrew removes the
 * folder of the old one and keeps a link to the new. Reference: `opt_prefix` in
 * Homebrew's Formula.
 */
export function lastingProgram(program: string): string {
  return program.replace(/\/Cellar\/([^/]+)\/[^/]+\//, "/opt/$1/");
}

/** The program that the text of a service starts; null where none is named. */
export function programIn(system: ServiceSystem, text: string): string | null {
  switch (system) {
    case "systemd": {
      const line = /^ExecStart=[@:+!-]*(.*)$/m.exec(text)?.[1];
      return line === undefined ? null : firstWord(line);
    }
    case "launchd":
      return xmlText(
        /<key>ProgramArguments<\/key>\s*<array>\s*<string>([^<]*)</.exec(text),
      );
    case "windows": {
      const command = xmlText(/<Command>([^<]*)</.exec(text));
      const words = xmlText(/<Arguments>([^<]*)</.exec(text)) ?? "";
      const isWrapped = /(^|\\)(cmd|conhost)\.exe$/i.test(command ?? "");
      if (!isWrapped) return command;
      return /(?:&& |^--headless )"([^"]+)" server /.exec(words)?.[1] ?? null;
    }
  }
}

function xmlText(match: RegExpExecArray | null): string | null {
  return match?.[1] === undefined ? null : plainXml(match[1]);
}

/** The first word of a unit's command line, unquoted; null where it is empty. */
function firstWord(line: string): string | null {
  const [, quoted, bare] = /^(?:"((?:[^"\\]|\\.)*)"|(\S+))/.exec(line) ?? [];
  const word = quoted ?? bare;
  if (word === undefined) return null;
  return word.replace(/\\(.)/g, "$1").replaceAll("%%", "%");
}
