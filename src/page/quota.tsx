/**
 * The screen Quota: how full each account's windows were, with the even pace
 * and the forecast.
 *
 * @module
 */

/** @jsxImportSource preact */
/// <reference lib="dom" />

import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import type { AccountView, WindowView } from "../control/account_views.ts";
import type { StatusView } from "../control/protocol.ts";
import type {
  QuotaCurveView,
  QuotaMoveView,
  QuotaView,
} from "../control/history/quota_view.ts";
import { clockText, percentText, useText } from "../control/words.ts";
import { useDrawn } from "./drawn.ts";
import { Time, WideTable } from "./parts.tsx";
import type { PageModel } from "./server.ts";

const HOUR = 3_600_000;

/** What can be shown: days back, and how much of the time to come. */
const RANGES = [
  { days: 1, name: "24 hours", aheadMs: 5 * HOUR },
  { days: 7, name: "7 days", aheadMs: 24 * HOUR },
  { days: 30, name: "30 days", aheadMs: 72 * HOUR },
] as const;
type Range = typeof RANGES[number];

/** Lengths of the windows that every plan has. */
const LENGTH_MS: Readonly<Record<string, number>> = {
  "5h": 5 * HOUR,
  "7d": 168 * HOUR,
};

export function QuotaScreen(
  { model, status }: {
    readonly model: PageModel;
    readonly status: StatusView;
  },
): VNode {
  const days = useSignal<number>(1);
  const minute = Math.floor(status.at.ms / 60_000);
  const { view, fault } = useDrawn(
    () => model.quota(days.value),
    [days.value, minute],
  );
  const range = RANGES.find((one) => one.days === days.value) ?? RANGES[0];
  return (
    <>
      <h2>Quota</h2>
      <p class="filters">
        <label>
          The last{" "}
          <select
            value={days.value}
            onChange={({ currentTarget }) =>
              days.value = Number(currentTarget.value)}
          >
            {RANGES.map(({ days, name }) => (
              <option key={days} value={days}>{name}</option>
            ))}
          </select>
        </label>
      </p>
      {fault.value === null
        ? null
        : <p role="alert" class="lost">{fault.value}</p>}
      {view.value === null
        ? fault.value === null ? <p>Reading the history…</p> : null
        : <Curves view={view.value} status={status} range={range} />}
    </>
  );
}

interface Drawn {
  readonly view: QuotaView;
  readonly status: StatusView;
  readonly range: Range;
}

function Curves({ view, status, range }: Drawn): VNode {
  const now = status.at.ms;
  if (view.accounts.length === 0) {
    return (
      <p>
        No figures yet: the first answers bring them, and a curve needs some
        minutes.
      </p>
    );
  }
  return (
    <>
      <p class="sum">{poolText(view)}</p>
      <p class="legend">
        <span class="line short" /> 5h <span class="line week" /> 7d{" "}
        <span class="line other" /> a model's own week{" "}
        <span class="line pace" />{" "}
        an even pace to the reset; the shaded part is the forecast (80 %), a
        mark below is a change of account. Lines at 0, 25, 50, 75 and 100 %.
      </p>
      {view.accounts.map(({ id, label, curves }) => (
        <Chart
          key={id}
          label={label}
          curves={curves}
          moves={view.moves.filter((move) =>
            move.account === label || move.movedFrom === label
          )}
          live={status.accounts.find((account) => account.id === id) ?? null}
          fromMs={view.since.ms}
          now={now}
          range={range}
        />
      ))}
      <Moves moves={view.moves} now={now} />
    </>
  );
}

/** Returns how much of the ended windows was not used, as a sentence. */
function poolText({ accounts }: QuotaView): string {
  const parts = Object.keys(LENGTH_MS).flatMap((window) => {
    const curves = accounts.flatMap(({ curves }) =>
      curves.filter((curve) => curve.window === window)
    );
    const ended = curves.reduce((sum, curve) => sum + curve.ended, 0);
    if (ended === 0) return [];
    const unused = curves.reduce(
      (sum, curve) => sum + curve.ended * (curve.unused ?? 0),
      0,
    );
    const count = ended === 1 ? "1 has ended" : `${ended} have ended`;
    return [`${percentText(unused / ended)} of a ${window} window (${count})`];
  });
  return parts.length === 0
    ? "No window has ended in this time."
    : `Expired unused, on average: ${parts.join(", ")}.`;
}

/** The size in which a chart is drawn; the page stretches it. */
const WIDTH = 1_000;
const HEIGHT = 200;

interface ChartParts {
  readonly label: string;
  readonly curves: readonly QuotaCurveView[];
  readonly moves: readonly QuotaMoveView[];
  /** Its present state; null for an account that is gone. */
  readonly live: AccountView | null;
  readonly fromMs: number;
  readonly now: number;
  readonly range: Range;
}

function Chart(parts: ChartParts): VNode {
  const { label, curves, moves, live, fromMs, now, range } = parts;
  const cursor = useSignal<number | null>(null);
  const untilMs = now + range.aheadMs;
  // What is outside of the range is cut off by the drawing.
  const x = (at: number) => (at - fromMs) / (untilMs - fromMs) * WIDTH;
  const at = cursor.value;
  const where = at === null ? now : fromMs + at * (untilMs - fromMs);
  return (
    <section class="quota" aria-label={label}>
      <h3>{label}</h3>
      <svg
        class="curves"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${label}: ${
          curves.map((curve) =>
            `${curve.window} ${percentText(valueAt(curve, now))}`
          ).join(", ")
        }; the slider below reads other times`}
        onPointerMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          cursor.value = (event.clientX - box.left) / Math.max(1, box.width);
        }}
        onPointerLeave={() => cursor.value = null}
      >
        {[0, 0.25, 0.5, 0.75, 1].map((share) => (
          <line key={share} class="grid" x1="0" x2={WIDTH} {...flat(share)} />
        ))}
        <line class="now" x1={x(now)} x2={x(now)} y1="0" y2={HEIGHT} />
        {(live?.windows ?? []).map((window) => (
          <Ahead key={window.key} window={window} now={now} x={x} />
        ))}
        {curves.map((curve) => (
          <path
            key={curve.window}
            class={`curve ${kindOf(curve.window)}`}
            d={pathOf(curve, now, x)}
          />
        ))}
        {moves.map((move) => (
          <line
            key={move.at.ms}
            class="move"
            x1={x(move.at.ms)}
            x2={x(move.at.ms)}
            y1={HEIGHT - 10}
            y2={HEIGHT}
          />
        ))}
        {at === null ? null : (
          <line
            class="cursor"
            x1={at * WIDTH}
            x2={at * WIDTH}
            y1="0"
            y2={HEIGHT}
          />
        )}
      </svg>
      <p class="reading">
        <input
          type="range"
          min="0"
          max="1"
          step="0.005"
          aria-label={`Time, for ${label}`}
          aria-valuetext={clockText(where, now)}
          value={at ?? (now - fromMs) / (untilMs - fromMs)}
          onInput={({ currentTarget }) =>
            cursor.value = Number(currentTarget.value)}
        />
        <output>
          {clockText(where, now)}: {curves.map((curve) =>
            `${curve.window} ${percentText(valueAt(curve, where, now))}`
          ).join(" · ")}
        </output>
      </p>
    </section>
  );
}

/** The even pace to the reset, and where the window runs out if it does. */
function Ahead(
  { window, now, x }: {
    readonly window: WindowView;
    readonly now: number;
    readonly x: (at: number) => number;
  },
): VNode | null {
  const { key, utilization, resetsAt, spentAt, spentBetween } = window;
  const lengthMs = LENGTH_MS[key];
  if (utilization === null || resetsAt === null || lengthMs === undefined) {
    return null;
  }
  const starts = resetsAt.ms - lengthMs;
  const first = spentBetween?.soonest?.ms ?? spentAt?.ms ?? null;
  const last = spentBetween?.latest?.ms ?? resetsAt.ms;
  return (
    <>
      <line
        class={`pace ${kindOf(key)}`}
        x1={x(starts)}
        y1={HEIGHT}
        x2={x(resetsAt.ms)}
        y2="0"
      />
      {first === null ? null : (
        <polygon
          class={`cone ${kindOf(key)}`}
          points={`${x(now)},${y(utilization)} ${x(first)},0 ${x(last)},0`}
        />
      )}
    </>
  );
}

function y(share: number): number {
  return HEIGHT * (1 - Math.max(0, Math.min(1, share)));
}

function flat(share: number): { readonly y1: number; readonly y2: number } {
  return { y1: y(share), y2: y(share) };
}

function kindOf(window: string): string {
  return window === "5h" ? "short" : window === "7d" ? "week" : "other";
}

/** A line of steps: a figure holds until the next one, or until its reset. */
function pathOf(
  { points }: QuotaCurveView,
  now: number,
  x: (at: number) => number,
): string {
  const parts: string[] = [];
  points.forEach(([at, share, resetsAt], index) => {
    const next = points[index + 1]?.[0] ?? now;
    const end = resetsAt === null ? next : Math.min(next, resetsAt);
    const to = (place: number, height: number) =>
      `${x(place).toFixed(1)} ${y(height).toFixed(1)}`;
    parts.push(`${index === 0 ? "M" : "L"}${to(at, share)}`);
    parts.push(`L${to(Math.max(at, end), share)}`);
    if (end < next) parts.push(`L${to(end, 0)}`, `L${to(next, 0)}`);
  });
  return parts.join("");
}

/** The figure at an instant; null before the first one and after now. */
function valueAt(
  { points }: QuotaCurveView,
  at: number,
  now = at,
): number | null {
  if (at > now) return null;
  const point = points.findLast(([time]) => time <= at);
  if (point === undefined) return null;
  const [, share, resetsAt] = point;
  return resetsAt !== null && resetsAt <= at ? 0 : share;
}

/** Changes of account in one table at most. */
const MOVES_SHOWN = 50;

function Moves(
  { moves, now }: {
    readonly moves: readonly QuotaMoveView[];
    readonly now: number;
  },
): VNode | null {
  if (moves.length === 0) return null;
  const shown = moves.slice(-MOVES_SHOWN).reverse();
  return (
    <>
      <h3>Changes of account and refused tries: {moves.length}</h3>
      <WideTable label="Changes" heads={["When", "Account", "Why", "Tries"]}>
        {shown.map((move, index) => (
          <tr key={`${move.at.ms} ${index}`}>
            <td>
              <Time time={move.at} now={now} />
            </td>
            <td>
              {move.movedFrom === null ? "" : `${move.movedFrom} → `}
              {move.account ?? "none"}
            </td>
            <td>{useText(move.reason, move.movedFrom)}</td>
            <td>{move.attempts}</td>
          </tr>
        ))}
      </WideTable>
    </>
  );
}
