/**
 * Variables of the environment as each system reads them.
 *
 * @module
 */

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Returns `environment` with the names that the rest of tc asks for. Windows
 * tells no `Path` from a `PATH`, and hands out whichever it was set by.
 */
export function variablesOf<Value extends string | undefined>(
  environment: Readonly<Record<string, Value>>,
  system: string,
): Readonly<Record<string, Value>> {
  if (system !== "windows") return environment;
  return Object.fromEntries(
    Object.entries(environment)
      .map(([name, value]) => [name.toUpperCase(), value]),
  );
}

/**
 * Returns the home that `environment` names, or undefined. On Windows it is
 * USERPROFILE, as for Claude Code: a HOME there is that of Git or of a company's
 * network drive.
 */
export function homeIn(
  environment: Environment,
  system: string,
): string | undefined {
  const { HOME, USERPROFILE } = environment;
  return system === "windows" ? USERPROFILE ?? HOME : HOME ?? USERPROFILE;
}

/** The name of a system, as the runtime has it. */
export type System = typeof Deno.build.os;

/** What a process finds where it runs. */
export interface Host {
  readonly environment: Environment;
  readonly system: System;
}
