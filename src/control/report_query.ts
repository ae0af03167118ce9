/**
 * What the query of a report may say, and what it means.
 *
 * @module
 */

import type { Context } from "hono";
import type { PartKind } from "../core/usage.ts";
import { TcError } from "../errors.ts";
import {
  REPORT_KINDS,
  type ReportKind,
  SPLITS,
} from "./history/report_view.ts";

/** Which report of the ledger is wanted. */
export interface ReportQuestion {
  readonly by: Exclude<ReportKind, "issue">;
  /** The last days, today included. */
  readonly days: number;
  /** Name of the time zone of the days. */
  readonly zone: string;
  /** The only repository wanted, by its name or folder; null means all. */
  readonly project: string | null;
  /** The only session wanted, by the start of its id; null means all. */
  readonly session: string | null;
  /** The only machine wanted, by its name or as `this`; null means all. */
  readonly machine: string | null;
  /** What a chart splits each row by; null means that it splits none. */
  readonly split: PartKind | null;
}

const DAYS = 14;
const DAYS_MAX = 3_650;
/** The history of windows goes no further back. */
export const WINDOW_DAYS_MAX = 60;

/** Returns the report that the query asks for. Throws TcError. */
export function reportQuestion(c: Context): ReportQuestion {
  const { by = "day", tz = "UTC", project, session, machine } = c.req.query();
  const kind = REPORT_KINDS.find((known) => known === by);
  if (kind === undefined || kind === "issue") {
    throw badQuery("by", REPORT_KINDS.filter((one) => one !== "issue"));
  }
  return {
    by: kind,
    days: daysOf(c),
    zone: tz,
    project: pathWord(project),
    session: pathWord(session),
    machine: pathWord(machine),
    split: splitOf(c),
  };
}

function splitOf(c: Context): PartKind | null {
  const split = c.req.query("split");
  if (split === undefined) return null;
  const known = SPLITS.find((one) => one === split);
  if (known === undefined) throw badQuery("split", SPLITS);
  return known;
}

/** Returns the number of days that the query names. Throws TcError. */
export function daysOf(c: Context, most = DAYS_MAX): number {
  const count = Number(c.req.query("days") ?? DAYS);
  if (Number.isInteger(count) && count >= 1 && count <= most) return count;
  throw badQuery("days", [`a whole number from 1 to ${most}`]);
}

/** Returns the error for a value that is none of `allowed`. */
export function badQuery(name: string, allowed: readonly string[]): TcError {
  return new TcError(
    `Cannot report: ${name} must be ${
      allowed.length === 1 ? allowed[0] : `one of ${allowed.join(", ")}`
    }`,
    { code: "bad_request", source: "user" },
  );
}

/** A path, which is checked for its length alone. */
export function pathWord(value: unknown): string | null {
  return typeof value === "string" && value !== "" && value.length <= 4_096
    ? value
    : null;
}
