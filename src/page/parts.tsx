/**
 * Parts of the page's screens: an account, a window's bar, a time.
 *
 * @module
 */

/** @jsxImportSource preact */
/// <reference lib="dom" />

import type { ComponentChildren, VNode } from "preact";
import type {
  AccountView,
  TimeView,
  WindowView,
} from "../control/account_views.ts";
import { CONTROL } from "../control/protocol.ts";
import { stateText } from "../control/state_text.ts";
import {
  clockText,
  countText,
  durationText,
  moneyText,
  percentText,
  planText,
  spentText,
} from "../control/words.ts";
import type { PageModel } from "./server.ts";

/** A table that scrolls by itself where the window is narrower. */
export function WideTable(
  { label, heads, numbers = [], children }: {
    readonly label: string;
    readonly heads: readonly string[];
    /** Heads above numbers, which stand to the right. */
    readonly numbers?: readonly string[];
    /** The rows. */
    readonly children: ComponentChildren;
  },
): VNode {
  return (
    <div class="wide" tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead>
          <tr>
            {heads.map((head) => (
              <th
                key={head}
                scope="col"
                class={numbers.includes(head) ? "number" : ""}
              >
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** A time as people say it; the exact instant is in its title. */
export function Time(
  { time, now }: { readonly time: TimeView; readonly now: number },
): VNode {
  return (
    <time dateTime={time.iso} title={new Date(time.ms).toString()}>
      {clockText(time.ms, now)}
    </time>
  );
}

/** How long ago, for the age of a figure. */
function Age(
  { time, now }: { readonly time: TimeView; readonly now: number },
): VNode {
  return (
    <time
      class="age"
      dateTime={time.iso}
      title={new Date(time.ms).toString()}
    >
      {durationText(Math.max(0, now - time.ms))} ago
    </time>
  );
}

/** From this part on a window is drawn as nearly full, and as full. */
const NEAR = 0.8;
const FULL = 1;

function Window(
  { window, now }: { readonly window: WindowView; readonly now: number },
): VNode {
  const { key, utilization, resetsAt, pace, observedAt, source } = window;
  const used = Math.min(1, utilization ?? 0);
  const level = utilization === null
    ? "none"
    : utilization >= FULL
    ? "full"
    : utilization >= NEAR
    ? "near"
    : "open";
  // Where an even spend would be now.
  const even = utilization === null || pace === null
    ? null
    : Math.min(1, Math.max(0, utilization - pace));
  const forecast = spentText(window, { now, timeZone: null });
  const said = source === "response_headers" ? "an answer" : "the usage page";
  return (
    <div class="window">
      <span class="name">{key}</span>
      <svg
        class={`bar ${level}`}
        viewBox="0 0 100 6"
        preserveAspectRatio="none"
        role="img"
        aria-label={`${key}: ${percentText(utilization)} used`}
      >
        <rect class="track" width="100" height="6" />
        <rect class="fill" width={used * 100} height="6" />
        {even === null
          ? null
          : <rect class="even" x={even * 99} width="0.8" height="6" />}
      </svg>
      <span class="figure">{percentText(utilization)}</span>
      <span class="note">
        {resetsAt === null ? null : (
          <>
            refills <Time time={resetsAt} now={now} /> ·{" "}
          </>
        )}
        <span title={`by ${said}`}>
          <Age time={observedAt} now={now} />
        </span>
        {forecast === null ? null : <>· {forecast}</>}
      </span>
    </div>
  );
}

/** The Deck's signs, for those who see no difference of colours. */
const SIGNS: Readonly<Record<AccountView["state"], string>> = {
  ready: "●",
  limited: "▲",
  spent: "■",
  resting: "■",
  signed_out: "■",
  unreachable: "■",
  off: "○",
  unknown: "◌",
  reserve: "○",
  paying: "$",
};

/** One account with its windows, its work and what can be done. */
export function Account(
  { model, account, pin, now }: {
    readonly model: PageModel;
    readonly account: AccountView;
    readonly pin: string | null;
    readonly now: number;
  },
): VNode {
  const { label, state, tier, kind, windows, usage, recent, mend } = account;
  const isPinned = pin === label;
  const path = `${CONTROL.accounts}/${encodeURIComponent(label)}`;
  const plan = planText({ kind, tier });
  return (
    <li class={`account ${state}`}>
      <h3>
        <span class="sign" aria-hidden="true">{SIGNS[state]}</span> {label}
        <small>{plan}</small>
      </h3>
      <p class="state">{stateText(account, { now })}</p>
      {windows.map((window) => (
        <Window key={window.key} window={window} now={now} />
      ))}
      <dl>
        <Fact name="in flight">{account.inFlight}</Fact>
        <Fact name="requests, last hour">{recent.requests1h}</Fact>
        <Fact name="from cache, last hour">
          {percentText(recent.hitRate1h)}
        </Fact>
        <Fact name="tokens, last hour">{countText(recent.tokens1h)}</Fact>
        {usage.paid === null
          ? null
          : <Fact name="paid">{moneyText(usage.paid)}</Fact>}
        {usage.worth === null
          ? null
          : <Fact name="worth">{moneyText(usage.worth)}</Fact>}
      </dl>
      {account.lastError === null ? null : (
        <p class="error">
          last error <Age time={account.lastError.at} now={now} />:{" "}
          {account.lastError.status ?? ""} {account.lastError.text}
        </p>
      )}
      {mend === null ? null : (
        <p class="mend">
          In a terminal: <code>{mend}</code>
        </p>
      )}
      <p class="buttons">
        <button
          type="button"
          aria-pressed={isPinned}
          onClick={() =>
            model.change("PUT", CONTROL.pin, {
              account: isPinned ? null : label,
            })}
        >
          {isPinned ? "Unpin" : "Pin"} <span class="for">{label}</span>
        </button>
        <button
          type="button"
          onClick={() =>
            model.change("PATCH", path, { enabled: !account.enabled })}
        >
          {account.enabled ? "Take out" : "Put in"}{" "}
          <span class="for">{label}</span>
        </button>
      </p>
    </li>
  );
}

function Fact(
  { name, children }: {
    readonly name: string;
    readonly children: ComponentChildren;
  },
): VNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
