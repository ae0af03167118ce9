/**
 * A session of Spend, opened into its requests.
 *
 * @module
 */

/** @jsxImportSource preact */
/// <reference lib="dom" />

import type { VNode } from "preact";
import type { TurnsView, TurnView } from "../control/history/turns_view.ts";
import {
  countText,
  durationText,
  moneyText,
  useText,
} from "../control/words.ts";
import { useDrawn } from "./drawn.ts";
import { Time, WideTable } from "./parts.tsx";
import type { PageModel } from "./server.ts";

export function SessionTurns(
  { model, session, days, close }: {
    readonly model: PageModel;
    readonly session: string;
    readonly days: number;
    readonly close: () => void;
  },
): VNode {
  const { view, fault } = useDrawn(
    () => model.turns(session, days),
    [session, days],
  );
  return (
    <section aria-label={`Session ${session}`}>
      <h3>
        Session {session}{" "}
        <button type="button" onClick={close}>Back to the sessions</button>
      </h3>
      {fault.value === null
        ? null
        : <p role="alert" class="lost">{fault.value}</p>}
      {view.value === null
        ? fault.value === null ? <p>Reading the ledger…</p> : null
        : <Turns view={view.value} />}
    </section>
  );
}

const HEADS = [
  "When",
  "Took",
  "Model",
  "Account",
  "Why",
  "Fresh",
  "Read",
  "Written",
  "Output",
  "Cost",
  "Explain",
];

const NUMBERS = ["Took", "Fresh", "Read", "Written", "Output", "Cost"];

function Turns({ view }: { readonly view: TurnsView }): VNode {
  const { turns, count, at } = view;
  if (count === 0) {
    return (
      <p>
        Its single requests are not in the ledger: they did not go through tc,
        or are older than the ledger keeps them.
      </p>
    );
  }
  return (
    <>
      <p class="sum">
        {count === turns.length
          ? `${count} requests through tc`
          : `The latest ${turns.length} of ${count} requests through tc`},
        newest first. Marks: ↪ changed the account, ⊟ compacted, $ was paid.
      </p>
      <WideTable
        label="Requests of the session"
        heads={HEADS}
        numbers={NUMBERS}
      >
        {turns.toReversed().map((turn) => (
          <tr key={turn.id}>
            <td>
              <Time time={turn.at} now={at.ms} />
            </td>
            <td class="number">{durationText(turn.durationMs)}</td>
            <td>{turn.model ?? "?"}</td>
            <td>
              {turn.movedFrom === null ? "" : `${turn.movedFrom} ↪ `}
              {turn.account ?? "none"}
            </td>
            <td>{whyText(turn)}</td>
            {[turn.input, turn.cacheRead, turn.cacheWrite, turn.output].map((
              tokens,
              index,
            ) => (
              <td key={index} class="number">
                {tokens === null ? "" : countText(tokens)}
              </td>
            ))}
            <td class="number">
              {turn.costUsd === null ? "" : moneyText(turn.costUsd)}
              {turn.isPaid ? " $" : ""}
            </td>
            <td>
              <code>tc explain {turn.id}</code>
            </td>
          </tr>
        ))}
      </WideTable>
    </>
  );
}

function whyText(turn: TurnView): string {
  const parts = [
    useText(turn.reason, turn.movedFrom),
    ...turn.isCompaction ? ["⊟"] : [],
    ...turn.agent === null ? [] : [`agent ${turn.agent.slice(0, 8)}`],
    ...turn.status === 200 ? [] : [`status ${turn.status}`],
    ...turn.waitedMs < 1_000 ? [] : [`waited ${durationText(turn.waitedMs)}`],
  ];
  return parts.filter((part) => part !== "").join(", ");
}
