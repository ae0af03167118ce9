/**
 * Finds what a report's filters mean: a person names a repository by its folder
 * and a session by the beginning of its id.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { inert } from "../core/plain_text.ts";
import { isOfProject, projectName } from "../core/route/project_route.ts";
import { DAY_MS } from "../core/time.ts";
import { UsageError } from "../errors.ts";
import { databasePath, openDatabase } from "../store/ledger/database.ts";
import { systemClock } from "../system/clock.ts";
import {
  namesWithin,
  THIS_MACHINE,
  type TimeSpan,
} from "../store/ledger/ledger_report.ts";

/** What a person limits a report to; an absent field limits nothing. */
export interface ReportFilter {
  /** A repository: its name, or a folder with what is below it. */
  readonly project?: string;
  /** A session: its id, or the beginning of it. */
  readonly session?: string;
  /** A machine of a shared pool, by its name. */
  readonly machine?: string;
}

interface Sources {
  readonly ledger: DatabaseSync | null;
  readonly history: DatabaseSync | null;
}

/** An error lists at most so many names. */
const NAMED_MAX = 8;

/**
 * Returns the span limited to what `filter` means. Throws UsageError for what
 * nothing in the history is, and for the beginning of several sessions.
 */
export function filteredSpan(
  sources: Sources,
  span: TimeSpan,
  { project, session, machine }: ReportFilter,
): TimeSpan {
  return {
    ...span,
    ...machine === undefined ? {} : { machine },
    ...project === undefined
      ? {}
      : { projects: projectsOf(sources, span, project) },
    ...session === undefined
      ? {}
      : { sessions: [sessionOf(sources, span, session)] },
  };
}

function projectsOf(
  sources: Sources,
  span: TimeSpan,
  wanted: string,
): readonly string[] {
  const known = namesIn(sources, "project", span);
  const found = known.filter((one) => isOfProject(wanted, one));
  if (found.length > 0) return found;
  throw new UsageError(
    `Cannot report of the project ${
      inert(wanted)
    }: nothing in that time is of it`,
    hintOf("Projects", known.map(projectName)),
  );
}

function sessionOf(
  sources: Sources,
  span: TimeSpan,
  wanted: string,
): string {
  const found = namesIn(sources, "session", span).filter((one) =>
    one.startsWith(wanted)
  );
  const [only] = found;
  if (found.includes(wanted)) return wanted;
  if (only !== undefined && found.length === 1) return only;
  throw new UsageError(
    `Cannot report of the session ${inert(wanted)}: ${
      only === undefined
        ? "nothing in that time is of it"
        : `${found.length} sessions begin so`
    }`,
    only === undefined
      ? "tc report session   lists them"
      : hintOf("Sessions", found),
  );
}

function hintOf(what: string, names: readonly string[]): string {
  const some = [...new Set(names)];
  if (some.length === 0) return "tc report   without it";
  const more = some.length > NAMED_MAX ? ", …" : "";
  const shown = some.slice(0, NAMED_MAX).map((name) => inert(name));
  return `${what}: ${shown.join(", ")}${more}`;
}

function namesIn(
  { ledger, history }: Sources,
  key: "project" | "session",
  span: TimeSpan,
): readonly string[] {
  const isOfThis = span.machine === undefined || span.machine === THIS_MACHINE;
  return [
    ...new Set([
      ...ledger === null ? [] : namesWithin(ledger, "quarters", key, span),
      ...history === null || !isOfThis
        ? []
        : namesWithin(history, "sums", key, span),
    ]),
  ];
}

/**
 * Returns the names of repositories or the ids of sessions in the ledger of the
 * last days. Throws TcError if there is no ledger.
 */
export function recentNames(
  stateFolder: string,
  key: "project" | "session",
  days: number,
): readonly string[] {
  const ledger = openDatabase(databasePath(stateFolder), "read_only");
  try {
    const untilMs = systemClock.now();
    const span = { fromMs: untilMs - days * DAY_MS, untilMs };
    const names = namesWithin(ledger, "quarters", key, span);
    return key === "session" ? names : [...new Set(names.map(projectName))];
  } finally {
    ledger.close();
  }
}
