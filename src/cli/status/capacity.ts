/**
 * `tc capacity`: a verdict for launchers, with exit codes 0, 10 and 20.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import type { CapacityView, StatusView } from "../../control/protocol.ts";
import {
  countText,
  durationText,
  inert,
  spentText,
} from "../../control/words.ts";
import { statesText, stateText } from "../../control/state_text.ts";
import { EXIT, TcError } from "../../errors.ts";
import type { Output, Style } from "../output.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { type Column, tableLines } from "../table.ts";

const EXIT_OF = {
  green: EXIT.ok,
  yellow: EXIT.capacityYellow,
  red: EXIT.capacityRed,
} as const;

const STYLE_OF: Readonly<Record<CapacityView["verdict"], Style>> = {
  green: "good",
  yellow: "careful",
  red: "bad",
};

const TEXT: CommandText = {
  name: "capacity",
  group: "look",
  summary: "Say whether there is room: exit 0 green, 10 yellow, 20 red",
  examples: [
    "tc capacity",
    "tc capacity --json",
    ({ system }) =>
      system === "windows" ? "tc capacity" : "tc capacity || sleep 60",
  ],
  schema: "tc.capacity/v1",
};

export function registerCapacity(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("--json", "Print one JSON object")
    .action(
      registry.run((options) => capacity(new Shell(registry, options))),
    );
}

async function capacity(shell: Shell): Promise<number> {
  const { output } = shell;
  try {
    const client = shell.client();
    if (output.isJson) {
      const view = await client.capacity();
      output.json(view);
      return EXIT_OF[view.verdict];
    }
    const status = await client.status();
    print(status, output);
    const view = status.capacity;
    return EXIT_OF[view.verdict];
  } catch (cause) {
    if (!(cause instanceof TcError) || cause.code !== "not_running") {
      throw cause;
    }
    // Launchers expect red for an unreachable proxy.
    if (output.isJson) {
      output.json({
        schema: "tc.capacity/v1",
        verdict: "red",
        headroom: 0,
        error: "proxy unreachable",
      });
    } else output.say(cause.message);
    return EXIT.capacityRed;
  }
}

function print(status: StatusView, output: Output): void {
  const view = status.capacity;
  const { headroom, accounts, soonestResetSec } = view;
  const parts = [
    `${headroom} session${headroom === 1 ? "" : "s"} free`,
    statesText(accounts.map(({ stateName }) => stateName ?? "unknown")),
    ...(soonestResetSec > 0
      ? [`next account back in ${durationText(soonestResetSec * 1000)}`]
      : []),
  ];
  const verdict = output.paint(STYLE_OF[view.verdict], view.verdict.padEnd(8));
  output.sentence(`${verdict} ${parts.join(" · ")}`, INDENT);
  const now = status.at.ms;
  const time = { now, timeZone: null };
  // A person wants local times. The states in `capacity` are for JSON: they have none.
  const states = new Map(
    status.accounts.map((one) => [one.id, stateText(one, { now })]),
  );
  const columns: readonly Column<CapacityView["accounts"][number]>[] = [
    { title: "account", of: ({ name }) => inert(name), cutTo: 8 },
    {
      title: "state",
      of: (account) => stateWords(account, states.get(account.id)),
      cutTo: 12,
      isSentence: true,
    },
    { title: "size", of: sizeText, drop: 2 },
    {
      title: "runs out",
      of: ({ runsOut }) =>
        runsOut.flatMap((one) => spentText(one, time) ?? []).join(" · "),
      drop: 3,
    },
  ];
  const { rows } = tableLines(view.accounts, columns, output.width - INDENT);
  for (const line of rows) output.line(`${" ".repeat(INDENT)}${line}`);
}

const INDENT = 2;

function stateWords(
  { benchSec, live, benched, state }: CapacityView["accounts"][number],
  words = state,
): string {
  return (!live || benched) && benchSec > 0
    ? `${words}, in ${durationText(benchSec * 1000)}`
    : words;
}

/** Returns how much of its five-hour window an account that serves has used. */
function sizeText(
  { capEst5h, burn5h, live, benched, stateName }:
    CapacityView["accounts"][number],
): string {
  // What is paid by the token has no plan.
  const isPaid = stateName === "reserve" || stateName === "paying";
  if (!live || benched || isPaid) return "";
  return capEst5h === null
    ? "plan size not known yet"
    : `${countText(burn5h)} of ${countText(capEst5h)} in 5h`;
}
