/**
 * `tc status`.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import type { StatusView } from "../../control/protocol.ts";
import { countText, durationText, inert } from "../../control/words.ts";
import { EXIT } from "../../errors.ts";
import { commandText } from "../command_table.ts";
import type { Output } from "../output.ts";
import { forecastLine, recentLines } from "./recent_text.ts";
import type { Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { accountLines, noticeLines, verdictLine } from "./status_text.ts";

const ACTIVITY_MAX = 5;

export function registerStatus(program: Command, registry: Registry): void {
  program.command("status")
    .description(commandText("status").summary)
    .option("--json", "Print one JSON object")
    .action(registry.run(async (options) => {
      const shell = new Shell(registry.environment, options);
      const view = await shell.client().status();
      if (shell.output.isJson) shell.output.json(view);
      else print(view, shell.output);
      return EXIT.ok;
    }));
}

function print(view: StatusView, output: Output): void {
  const { server, requests, activity } = view;
  output.line(verdictLine(view, output));
  for (const line of accountLines(view, output)) output.line(line);
  for (const line of recentLines(view)) output.line(line);
  output.line(forecastLine(view));
  const pin = server.pin === null ? "" : ` · pinned to ${inert(server.pin)}`;
  const up = durationText(view.at.ms - server.startedAt.ms);
  output.line();
  output.line(
    `tc ${server.version} on ${server.host}:${server.port} · up ${up} · policy ${server.policy}${
      ownPolicies(view)
    }${pin}`,
  );
  output.line(`vault: ${server.vault}`);
  for (const line of noticeLines(view, output)) output.line(line);
  for (const request of requests) {
    const age = durationText(view.at.ms - request.since.ms);
    output.line(
      `  ${request.state.padEnd(9)} ${(request.account ?? "-").padEnd(10)} ${
        request.model ?? "-"
      }  ${age}  ${request.reason ?? ""}`.trimEnd(),
    );
  }
  for (const row of activity.slice(0, ACTIVITY_MAX)) {
    output.line(`  ${activityText(row)}`);
  }
}

/** Sessions whose launch asked for a policy of its own. */
function ownPolicies({ sessions }: StatusView): string {
  const own = sessions.flatMap(({ id, policy }) =>
    policy === null ? [] : [`${policy} for ${inert(id).slice(0, 8)}`]
  );
  return own.length === 0 ? "" : ` (${own.join(", ")})`;
}

function activityText(row: StatusView["activity"][number]): string {
  const tokens = row.output === null
    ? ""
    : `  in ${countText(row.input ?? 0)}  read ${
      countText(row.cacheRead ?? 0)
    }  ✎ ${countText(row.cacheWrite ?? 0)}  out ${countText(row.output)}`;
  const time = row.at.iso.slice(11, 19);
  return `${time}Z ${inert(row.account ?? "-").padEnd(10)} ${row.status} ${
    durationText(row.durationMs)
  }${tokens}  ${row.reason.replaceAll("_", " ")}`;
}
