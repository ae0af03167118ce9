/**
 * The screens of the page: Now, and the last requests with the reason of each.
 *
 * @module
 */

/** @jsxImportSource preact */
/// <reference lib="dom" />

import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import type { ActivityView, StatusView } from "../control/protocol.ts";
import {
  countText,
  durationText,
  lastsText,
  moneyText,
  percentText,
  seenText,
  useText,
  verdictText,
} from "../control/words.ts";
import { Account, Time, WideTable } from "./parts.tsx";
import type { PageModel } from "./server.ts";

interface Screen {
  readonly status: StatusView;
  /** The server's clock when the status was made. */
  readonly now: number;
}

const COLOR_WORD: Readonly<Record<StatusView["verdict"]["color"], string>> = {
  green: "Ready",
  yellow: "Limited",
  red: "Closed",
};

/** What the pool can do now, and until when. */
export function Verdict({ status, now }: Screen): VNode {
  const { verdict, forecast, usage } = status;
  const time = { now, timeZone: null };
  const why = verdictText(verdict, time);
  const lasts = lastsText(forecast, time);
  return (
    <section class={`verdict ${verdict.color}`} aria-label="Verdict">
      <strong>{COLOR_WORD[verdict.color]}</strong>
      {why === "" ? null : <span>{why}</span>}
      {lasts === null ? null : <span>{lasts}</span>}
      <span class="sum">
        since the server's start: {countText(usage.requests)} requests,{" "}
        {percentText(usage.hitShare)} from cache
        {usage.worth === null ? "" : `, worth ${moneyText(usage.worth)}`}
        {usage.paid === null ? "" : `, paid ${moneyText(usage.paid)}`}
      </span>
    </section>
  );
}

export function Now(
  { model, status, now }: Screen & { readonly model: PageModel },
): VNode {
  const { accounts, machines, notices, requests, server } = status;
  return (
    <>
      {notices.length === 0 ? null : (
        <ul class="notices" aria-label="Notices">
          {notices.map(({ level, text, mend }) => (
            <li key={text} class={level}>
              {text}
              {mend === null ? null : (
                <>
                  : <code>{mend}</code>
                </>
              )}
            </li>
          ))}
        </ul>
      )}
      <h2>Accounts</h2>
      <ul class="accounts">
        {accounts.map((account) => (
          <Account
            key={account.id}
            model={model}
            account={account}
            pin={server.pin}
            now={now}
          />
        ))}
      </ul>
      {machines.length === 0 ? null : (
        <>
          <h2>Machines</h2>
          <ul aria-label="Machines">
            {machines.map((machine) => (
              <li key={machine.id}>
                {machine.name}
                {machine.isThis ? " (this one)" : ""}: {machine.isThere
                  ? `${counted(machine.requests ?? 0, "request")} in flight`
                  : seenText(machine, now)}, tc {machine.version}
              </li>
            ))}
          </ul>
        </>
      )}
      <h2>Requests being served: {requests.length}</h2>
      {requests.length === 0 ? <p>None at the moment.</p> : (
        <WideTable
          label="Requests"
          heads={[
            "Session",
            "Project",
            "Model",
            "Account",
            "State",
            "For",
            "Prompt",
          ]}
        >
          {requests.map((request) => (
            <tr key={request.id}>
              <td title={request.id}>{named(request)}</td>
              <Project path={request.project} />
              <td>{request.model ?? "?"}</td>
              <td>{request.account ?? "–"}</td>
              <td>
                {request.state}
                {request.account === null && request.reason !== null
                  ? `: ${request.reason.replaceAll("_", " ")}`
                  : ""}
              </td>
              <td>{durationText(Math.max(0, now - request.since.ms))}</td>
              <td>
                {request.input === null ? "" : countText(
                  request.input + (request.cacheRead ?? 0) +
                    (request.cacheWrite ?? 0),
                )}
              </td>
            </tr>
          ))}
        </WideTable>
      )}
    </>
  );
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** The last requests that ended; by default those that moved or were retried. */
export function Decisions({ status, now }: Screen): VNode {
  const isAll = useSignal(false);
  const account = useSignal("");
  const shown = status.activity.filter((one) =>
    (isAll.value || isNotable(one)) &&
    (account.value === "" || one.account === account.value ||
      one.movedFrom === account.value)
  );
  return (
    <>
      <h2>Decisions</h2>
      <p class="filters">
        <label>
          Account{" "}
          <select
            value={account.value}
            onChange={({ currentTarget }) =>
              account.value = currentTarget.value}
          >
            <option value="">all</option>
            {status.accounts.map(({ id, label }) => (
              <option key={id} value={label}>{label}</option>
            ))}
          </select>
        </label>
        <label>
          <input
            type="checkbox"
            checked={isAll.value}
            onChange={({ currentTarget }) =>
              isAll.value = currentTarget.checked}
          />{" "}
          also those that stayed where they were
        </label>
      </p>
      <p>
        Of the last {status.activity.length}{" "}
        requests; older ones are in Spend: a session opens into its requests.
      </p>
      {shown.length === 0
        ? <p>No conversation moved, and nothing was tried again.</p>
        : (
          <WideTable
            label="Decisions"
            heads={[
              "When",
              "Session",
              "Project",
              "Account",
              "Why",
              "Tries",
              "Status",
              "Read from cache",
              "Explain",
            ]}
          >
            {shown.map((one) => (
              <tr key={one.id}>
                <td>
                  <Time time={one.at} now={now} />
                </td>
                <td>{named(one)}</td>
                <Project path={one.project} />
                <td>
                  {one.movedFrom === null ? "" : `${one.movedFrom} → `}
                  {one.account ?? "none"}
                </td>
                <td>{useText(one.reason, one.movedFrom)}</td>
                <td>{one.attempts}</td>
                <td>{one.status}</td>
                <td>{cacheText(one)}</td>
                <td>
                  <code>tc explain {one.id}</code>
                </td>
              </tr>
            ))}
          </WideTable>
        )}
    </>
  );
}

/** The name of a repository; its path when pointed at. */
function Project({ path }: { readonly path: string | null }): VNode {
  const name = path?.split(/[\\/]/).findLast((part) => part !== "") ?? "?";
  return <td title={path ?? "not known"}>{name}</td>;
}

function isNotable({ movedFrom, attempts, account }: ActivityView): boolean {
  return movedFrom !== null || attempts > 1 || account === null;
}

function cacheText({ input, cacheRead, cacheWrite }: ActivityView): string {
  const prompt = (input ?? 0) + (cacheRead ?? 0) + (cacheWrite ?? 0);
  return cacheRead === null || prompt === 0
    ? "?"
    : percentText(cacheRead / prompt);
}

/** The first letters of a session, and of the sub-agent. */
function named(
  { session, agent }: {
    readonly session: string | null;
    readonly agent: string | null;
  },
): string {
  const parts = [session, agent].filter((part) => part !== null);
  return parts.length === 0
    ? "–"
    : parts.map((part) => part.slice(0, 8)).join("/");
}
