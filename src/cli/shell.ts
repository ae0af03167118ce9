/**
 * What every command works with: its pool, and its output.
 *
 * @module
 */

import { AUTHORITY_VARIABLES } from "../system/authorities.ts";
import { withHome } from "../system/home.ts";
import { type Environment, PATH_VARIABLES } from "../system/paths.ts";
import type { Host, System } from "../variables.ts";
import { settingRows } from "../config/settings.ts";
import { UsageError } from "../errors.ts";
import { personShell, SHELL_VARIABLES } from "../shell_words.ts";
import { PoolSite } from "../server/pool_site.ts";
import { Output } from "./output.ts";

/** Options that every command takes. */
export interface CommonOptions {
  readonly json?: boolean | undefined;
  readonly color?: string | undefined;
  readonly input?: boolean | undefined;
}

/** Variables that a command may read, besides those of settings. */
const OTHER_VARIABLES = [
  "NO_COLOR",
  "FORCE_COLOR",
  "CLICOLOR_FORCE",
  "TERM",
  "CI",
  "PATH",
  "PATHEXT",
  "USER",
  "USERNAME",
  "LOGNAME",
  "COLUMNS",
  "LANG",
  "LC_ALL",
  "LC_CTYPE",
  "COLORTERM",
  "TC_ASCII",
  ...SHELL_VARIABLES,
  "HTTPS_PROXY",
  "https_proxy",
  "HTTP_PROXY",
  "http_proxy",
  "ALL_PROXY",
  "all_proxy",
  "NO_PROXY",
  ...AUTHORITY_VARIABLES,
  "no_proxy",
  "CLAUDE_CONFIG_DIR",
  "CLAUDE_CODE_OAUTH_TOKEN",
  "CLAUDE_SECURESTORAGE_CONFIG_DIR",
  "ANTHROPIC_BASE_URL",
  "JOURNAL_STREAM",
  "NOTIFY_SOCKET",
  "TC_DEBUG",
  "TC_LAUNCHED",
  "BROWSER",
  "DISPLAY",
  "WAYLAND_DISPLAY",
] as const;

/** Returns the names of all variables that tc reads. */
function readVariables(): readonly string[] {
  const ofSettings = settingRows().map((row) => row.variable);
  return [...new Set([...PATH_VARIABLES, ...OTHER_VARIABLES, ...ofSettings])];
}

/** Returns the values of the variables that tc reads. */
export function readEnvironment(system: System): Environment {
  return withHome(
    Object.fromEntries(
      readVariables().map((name) => [name, Deno.env.get(name)]),
    ),
    system,
  );
}

/** The pool that a command works on, and the terminal that it was typed in. */
export class Shell extends PoolSite {
  readonly output: Output;
  /** Whether a person is there to answer a question. */
  readonly mayAsk: boolean;
  /** Whether `--no-input` says that nobody is there. */
  readonly mustNotAsk: boolean;

  constructor(
    host: Host,
    common: CommonOptions,
    flags: Readonly<Record<string, unknown>> = {},
  ) {
    const { environment, system } = host;
    const output = new Output({
      environment,
      person: personShell(environment, system),
      color: colorOf(common.color),
      isJson: common.json ?? false,
      isTerminal: Deno.stdout.isTerminal(),
    });
    super(host, { flags, say: (warning) => output.say(warning) });
    this.output = output;
    this.mustNotAsk = common.input === false;
    this.mayAsk = common.input !== false && Deno.stdin.isTerminal() &&
      !environment["CI"];
  }

  /** Whether there is a terminal that can be drawn on. */
  get hasScreen(): boolean {
    return Deno.stdin.isTerminal() && Deno.stdout.isTerminal() &&
      this.environment["TERM"] !== "dumb";
  }
}

function colorOf(text: string | undefined): "always" | "never" | "auto" | null {
  if (text === undefined) return null;
  if (text === "always" || text === "never" || text === "auto") return text;
  throw new UsageError(
    `Cannot use --color ${text}: it must be always, never or auto`,
  );
}
