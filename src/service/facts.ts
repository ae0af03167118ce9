/**
 * What the units of all systems are made of.
 *
 * @module
 */

/** What a service needs to know of its machine and pool. */
export interface ServiceFacts {
  /** The program, an absolute path. */
  readonly program: string;
  readonly home: string;
  /** `$XDG_CONFIG_HOME`, or `~/.config`. */
  readonly configHome: string;
  /** The variables that lead tc to its pool, such as TC_CONFIG. */
  readonly variables: Readonly<Record<string, string>>;
  /** Folders that the service writes to. */
  readonly folders: readonly string[];
  /** Where a service without journal writes its log. */
  readonly logFile: string;
  /** The user: number on Unix, name on Windows. */
  readonly user: string;
  /** Where launchd keeps the agent: a Mac that is reached by ssh has no `gui`. */
  readonly session: "gui" | "user";
  /** How long a stop may take. */
  readonly drainSec: number;
}

/** Reverse domain name, as launchd wants one. */
export const LAUNCHD_LABEL = "dev.tc.server";
/** Windows' task and systemd's unit. */
export const SERVICE_NAME = "tc";
