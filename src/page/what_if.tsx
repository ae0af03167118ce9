/**
 * The screen What if: the own history replayed under other policies, or with
 * one account more or less.
 *
 * @module
 */

/** @jsxImportSource preact */
/// <reference lib="dom" />

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { VNode } from "preact";
import type { StatusView } from "../control/protocol.ts";
import type {
  SimulatedView,
  SimulationView,
} from "../control/history/simulation_view.ts";
import { countText, moneyText, percentText } from "../control/words.ts";
import { Time, WideTable } from "./parts.tsx";
import type { PageModel } from "./server.ts";

/** How often a running replay is looked at. */
const LOOK_MS = 1_000;

const DAYS = [3, 7, 14, 30] as const;
const PLANS = ["+pro", "+5x", "+20x"] as const;

export function WhatIf(
  { model, status }: {
    readonly model: PageModel;
    readonly status: StatusView;
  },
): VNode {
  const view = useSignal<SimulationView | null>(null);
  const fault = useSignal<string | null>(null);
  const days = useSignal<number>(14);
  const change = useSignal("");
  const ttl = useSignal("");
  const ask = async (method: "GET" | "POST" | "DELETE"): Promise<void> => {
    try {
      view.value = await model.simulate(
        method,
        method !== "POST" ? null : {
          days: days.value,
          accounts: change.value === "" ? [] : [change.value],
          ttl: ttl.value === "" ? null : ttl.value,
        },
      );
      fault.value = null;
    } catch (cause) {
      fault.value = cause instanceof Error ? cause.message : String(cause);
    }
  };
  const isRunning = view.value?.state === "running";
  useEffect(() => {
    if (view.value === null) ask("GET");
    if (!isRunning) return;
    const timer = setInterval(() => ask("GET"), LOOK_MS);
    return () => clearInterval(timer);
  }, [isRunning]);
  return (
    <>
      <h2>What if</h2>
      <p>
        Replays your own requests, without sending anything: under every policy,
        and with the change that you choose.
      </p>
      <p class="filters">
        <label>
          Days{" "}
          <select
            value={days.value}
            onChange={({ currentTarget }) =>
              days.value = Number(currentTarget.value)}
          >
            {DAYS.map((one) => <option key={one} value={one}>{one}</option>)}
          </select>
        </label>
        <label>
          Accounts{" "}
          <select
            value={change.value}
            onChange={({ currentTarget }) => change.value = currentTarget.value}
          >
            <option value="">as they are</option>
            {PLANS.map((plan) => (
              <option key={plan} value={plan}>
                one more: {plan.slice(1)}
              </option>
            ))}
            {status.accounts.map(({ id, label }) => (
              <option key={id} value={`-${label}`}>without {label}</option>
            ))}
          </select>
        </label>
        <label>
          Prompt cache{" "}
          <select
            value={ttl.value}
            onChange={({ currentTarget }) => ttl.value = currentTarget.value}
          >
            <option value="">as it was</option>
            <option value="5m">5 minutes</option>
            <option value="1h">1 hour</option>
          </select>
        </label>
        {isRunning
          ? (
            <button type="button" onClick={() => ask("DELETE")}>
              Stop
            </button>
          )
          : (
            <button type="button" onClick={() => ask("POST")}>
              Replay
            </button>
          )}
      </p>
      {fault.value === null
        ? null
        : <p role="alert" class="lost">{fault.value}</p>}
      {view.value === null
        ? null
        : <Standing view={view.value} now={status.at.ms} />}
    </>
  );
}

function Standing(
  { view, now }: { readonly view: SimulationView; readonly now: number },
): VNode | null {
  const { state, progress, message, result, startedAt } = view;
  switch (state) {
    case "none":
      return null;
    case "stopped":
      return <p>Stopped.</p>;
    case "failed":
      return <p role="alert" class="lost">{message ?? "It failed."}</p>;
    case "running":
      return (
        <p>
          <progress
            aria-label="Replay"
            {...progress === null
              ? {}
              : { value: progress.done, max: progress.of }}
          />{" "}
          {progress === null
            ? "Reading the history…"
            : `${progress.done} of ${progress.of} played`}
        </p>
      );
    case "done":
      return (
        <>
          {startedAt === null ? null : (
            <p class="sum">
              Replay of <Time time={startedAt} now={now} />
            </p>
          )}
          {result === null ? null : <Result result={result} />}
        </>
      );
  }
}

function Result({ result }: { readonly result: SimulatedView }): VNode {
  const { history } = result;
  if (history === null) {
    return <p>There is too little history yet: at least 50 answers.</p>;
  }
  const { requests, days, check, comparison, change } = history;
  return (
    <>
      <p>
        {countText(requests)} requests of the last {days} days, replayed under
        {" "}
        {check.policy} as they ran: the quota is {percentText(check.error)} off,
        {" "}
        {check.recordedStalledHours.toFixed(1)} h of waiting were recorded.
      </p>
      {check.isGood ? null : (
        <p role="alert" class="lost">
          The replay does not match your real history, so no conclusion is
          drawn.
        </p>
      )}
      {change === null || !check.isWaitingGood ? null : (
        <p>
          <strong>{change.accounts.join(" ")}</strong>:{" "}
          {change.stalledHoursBefore.toFixed(1)} h of waiting before,{" "}
          {change.stalledHoursAfter.toFixed(1)}{" "}
          h after. What you would have done with less waiting is not known.
        </p>
      )}
      {comparison === null ? null : (
        <WideTable
          label="Policies"
          heads={[
            "Policy",
            "Served, of what was possible",
            "Waiting",
            "Waits over a minute",
            "Quota for rebuilt caches",
            "429s",
            "By key",
          ]}
        >
          {comparison.standings.map((one) => (
            <tr key={one.policy}>
              <td>{one.policy}{one.policy === check.policy ? " (ran)" : ""}</td>
              <td class="number">{percentText(one.score)}</td>
              <td class="number">{one.stalledHours.toFixed(1)} h</td>
              <td class="number">{Math.round(one.longWaits)}</td>
              <td class="number">{percentText(one.rebuildShare)}</td>
              <td class="number">{Math.round(one.refusals)}</td>
              <td class="number">
                {one.dollars > 0 ? moneyText(one.dollars) : "–"}
              </td>
            </tr>
          ))}
        </WideTable>
      )}
    </>
  );
}
