/**
 * The program of a service: the path to write into a unit, and the path that an
 * existing unit names.
 *
 * @module
 */

import { plainXml, type ServiceSystem } from "./plan.ts";

/**
 * Returns a path to `program` that survives its next version: Homebrew removes
 * the folder of the old one and keeps a link to the new. Reference:
 * `opt_prefix` in Homebrew's Formula.
 */
export function lastingProgram(program: string): string {
  return program.replace(/\/Cellar\/([^/]+)\/[^/]+\//, "/opt/$1/");
}

/**
 * Returns the program that the text of a service starts; null if it names none.
 */
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

/**
 * Returns the first word of a unit's command line, unquoted; null if it is
 * empty.
 */
function firstWord(line: string): string | null {
  const [, quoted, bare] = /^(?:"((?:[^"\\]|\\.)*)"|(\S+))/.exec(line) ?? [];
  const word = quoted ?? bare;
  if (word === undefined) return null;
  return word.replace(/\\(.)/g, "$1").replaceAll("%%", "%");
}
