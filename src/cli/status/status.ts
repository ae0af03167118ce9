/**
 * `tc status`: the pool, what its accounts did in the last hour, and how long it
 * lasts at that pace.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import type { AccountView, StatusView } from "../../control/protocol.ts";
import {
  countText,
  durationText,
  elapsedText,
  inert,
  machinesText,
  percentText,
  spentText,
} from "../../control/words.ts";
import { EXIT } from "../../errors.ts";
import type { Output } from "../output.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { timeText, tookText } from "../../deck/figures.ts";
import { cut } from "../../deck/terminal/grapheme.ts";
import { Shell } from "../shell.ts";
import {
  accountLines,
  forecastLine,
  INDENT,
  printNotices,
  verdictLine,
} from "./status_text.ts";

const ACTIVITY_MAX = 5;

const TEXT: CommandText = {
  name: "status",
  group: "look",
  summary: "Show the pool, its accounts and current requests",
  examples: ["tc status", "tc status --json"],
  schema: "tc.status/v1",
};

export function registerStatus(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("--json", "Print one JSON object")
    .action(registry.run(async (options) => {
      const shell = new Shell(registry, options);
      const view = await shell.client().status();
      if (shell.output.isJson) shell.output.json(view);
      else print(view, shell.output);
      return EXIT.ok;
    }));
}

function print(view: StatusView, output: Output): void {
  const { server, requests, activity } = view;
  output.sentence(verdictLine(view, output), INDENT);
  for (const line of accountLines(view, output)) output.line(line);
  for (const line of recentLines(view)) {
    output.line(cut(line, output.width));
  }
  output.sentence(forecastLine(view), INDENT);
  const pin = server.pin === null ? "" : ` · pinned to ${inert(server.pin)}`;
  const up = elapsedText(view.at.ms - server.startedAt.ms);
  output.line();
  output.sentence(
    `tc ${server.version} on ${server.host}:${server.port} · up ${up} · policy ${server.policy}${
      ownPolicies(view)
    }${pin}`,
    INDENT,
  );
  output.sentence(`vault: ${server.vault}`, INDENT);
  const machines = machinesText(view.machines, view.at.ms);
  if (machines !== null) output.line(cut(machines, output.width));
  printNotices(view, output);
  const shown = activity.slice(0, ACTIVITY_MAX);
  // Names stand in one column, so that what follows them does as well.
  const width = Math.max(
    0,
    ...[...requests, ...shown].map(({ account }) =>
      inert(account ?? "-").length
    ),
  );
  for (const request of requests) {
    const age = durationText(view.at.ms - request.since.ms);
    output.line(
      `  ${inert(request.id.slice(0, ID_SHOWN))} ${request.state.padEnd(9)} ${
        inert(request.account ?? "-").padEnd(width)
      } ${request.model ?? "-"}  ${age}  ${request.reason ?? ""}`.trimEnd(),
    );
  }
  for (const row of shown) {
    output.line(cut(`  ${activityText(row, width)}`, output.width));
  }
}

/** Returns the sessions whose launch asked for another policy. */
function ownPolicies({ sessions }: StatusView): string {
  const own = sessions.flatMap(({ id, policy }) =>
    policy === null ? [] : [`${policy} for ${inert(id).slice(0, 8)}`]
  );
  return own.length === 0 ? "" : ` (${own.join(", ")})`;
}

function activityText(
  row: StatusView["activity"][number],
  width: number,
): string {
  const tokens = row.output === null
    ? ""
    : `  in ${countText(row.input ?? 0)}  read ${
      countText(row.cacheRead ?? 0)
    }  ✎ ${countText(row.cacheWrite ?? 0)}  out ${countText(row.output)}`;
  const time = timeText(row.at.ms, null);
  return `${time} ${inert(row.id.slice(0, ID_SHOWN))} ${
    inert(row.account ?? "-").padEnd(width)
  } ${row.status} ${tookText(row.durationMs)}${tokens}  ${
    row.reason.replaceAll("_", " ")
  }`;
}

/** The start of a request's id, enough for tc explain. */
const ID_SHOWN = 11;

/** Returns one line for each account that was used in the last hour. */
function recentLines(view: StatusView): readonly string[] {
  const busy = view.accounts.filter(({ recent }) => recent.requests1h > 0);
  const width = Math.max(0, ...busy.map(({ label }) => inert(label).length));
  return busy.map((account) => {
    const { requests15m, requests1h, hitRate1h, tokens1h } = account.recent;
    const parts = [
      `${requests15m} in 15m, ${requests1h} in 1h`,
      `${countText(tokens1h)} tok`,
      `hit ${percentText(hitRate1h)}`,
      ...endings(account, view.at.ms),
    ];
    return `  ${inert(account.label).padEnd(width + 2)}${parts.join(" · ")}`;
  });
}

/**
 * Returns the windows that may run out before their reset at the present pace.
 */
function endings({ windows }: AccountView, now: number): readonly string[] {
  const time = { now, timeZone: null };
  return windows.flatMap((window) => spentText(window, time) ?? []);
}
