/**
 * `tc report`.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { priceBook } from "../../config/config.ts";
import { systemClock } from "../../system/clock.ts";
import { claudeFolder } from "../../claude/claude_folder.ts";
import { REPORT_KINDS, type ReportKind } from "../../control/report_view.ts";
import { localZone, Zone } from "../../core/calendar.ts";
import { tablesOf } from "../../core/pricing.ts";
import { EXIT, UsageError } from "../../errors.ts";
import { commandText } from "../command_table.ts";
import type { Registry } from "../registry.ts";
import { reportLines, reportTitle } from "./report_text.ts";
import { drawReport, type ReportQuery } from "./reporting.ts";
import { Shell } from "../shell.ts";
import { parseMoment } from "./time_span.ts";

interface ReportFlags {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly tz?: string | undefined;
  readonly limit?: string | undefined;
}

/** How far back a report goes by itself. */
const SINCE: Readonly<Record<ReportKind, string>> = {
  day: "13d",
  week: "11w",
  month: "330d",
  session: "7d",
  issue: "30d",
  model: "30d",
  account: "30d",
};

const ROWS = 40;

export function registerReport(program: Command, registry: Registry): void {
  program.command("report")
    .description(commandText("report").summary)
    .argument("[by]", REPORT_KINDS.join(", "), "day")
    .option("--since <time>", "From then on: a date, or an age such as 7d")
    .option("--until <time>", "Up to then; a date counts whole")
    .option("--tz <zone>", "Time zone of the days, for example Europe/Berlin")
    .option("--limit <rows>", "Rows printed at most")
    .option("--json", "Print one JSON object")
    .action(registry.run(async (by, options) => {
      const shell = new Shell(registry.environment, options);
      const query = reportQuery(by, options, {
        nowMs: systemClock.now(),
        pricesAsOf: tablesOf(priceBook(shell.config))[0]?.asOf ?? "",
      });
      const rowsMax = rowLimit(options.limit);
      const view = await drawReport(query, {
        stateFolder: shell.paths.stateFolder,
        claudeFolder: claudeFolder({
          environment: registry.environment,
          system: Deno.build.os,
          userName: null,
        }).folder,
      });
      const { output } = shell;
      if (output.isJson) {
        output.json(view);
        return EXIT.ok;
      }
      output.line(reportTitle(view, query.zone));
      if (view.rows.length === 0) output.line("nothing was recorded then");
      else {for (const line of reportLines(view, output, rowsMax)) {
          output.line(line);
        }}
      return EXIT.ok;
    }));
}

function reportQuery(
  by: string,
  flags: ReportFlags,
  { nowMs, pricesAsOf }: Pick<ReportQuery, "nowMs" | "pricesAsOf">,
): ReportQuery {
  if (!isKind(by)) {
    throw new UsageError(
      `Cannot report by ${by}: it must be one of ${REPORT_KINDS.join(", ")}`,
      "tc report day",
    );
  }
  const zone = zoneOf(flags.tz);
  const untilMs = flags.until === undefined
    ? nowMs
    : parseMoment(flags.until, { nowMs, zone, edge: "end" });
  const fromMs = flags.since === undefined
    ? defaultSince(by, untilMs, zone)
    : parseMoment(flags.since, { nowMs, zone, edge: "start" });
  if (fromMs >= untilMs) {
    throw new UsageError("Cannot report: --since is not before --until");
  }
  return { by, nowMs, span: { fromMs, untilMs }, zone, pricesAsOf };
}

/** Whole days, so that the first one is not a part. */
function defaultSince(by: ReportKind, untilMs: number, zone: Zone): number {
  const frame = { nowMs: untilMs, zone, edge: "start" } as const;
  return zone.instantOf(zone.dateOf(parseMoment(SINCE[by], frame)));
}

function isKind(text: string): text is ReportKind {
  return (REPORT_KINDS as readonly string[]).includes(text);
}

function zoneOf(name: string | undefined): Zone {
  const local = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (name === undefined || name === "local") {
    return localZone(local, -new Date().getTimezoneOffset());
  }
  try {
    return new Zone(name === "utc" ? "UTC" : name);
  } catch {
    throw new UsageError(
      `Cannot use the time zone ${name}: there is no such zone`,
      "For example UTC, Europe/Berlin, America/New_York",
    );
  }
}

function rowLimit(text: string | undefined): number {
  if (text === undefined) return ROWS;
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new UsageError(`Cannot print ${text} rows: it must be a whole number`);
}
