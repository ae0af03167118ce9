/**
 * The screen Quota: how full each account's windows were, with the even pace
 * and the forecast.
 *
 * @module
 */

/** @jsxImportSource preact */
/// <reference lib="dom" />

import { type Signal, useSignal } from "@preact/signals";
import type { VNode } from "preact";
import type { AccountView, WindowView } from "../control/account_views.ts";
import type { StatusView } from "../control/protocol.ts";
import {
  quotaAt,
  type QuotaCurveView,
  type QuotaMoveView,
  type QuotaView,
} from "../control/history/quota_view.ts";
import {
  clockText,
  countText,
  percentText,
  useText,
} from "../control/words.ts";
import { useDrawn } from "./drawn.ts";
import { Time, WideTable } from "./parts.tsx";
import { PoolStack } from "./pool_stack.tsx";
import type { PageModel } from "./server.ts";
import { type Span, useBrush, ZoomBar } from "./zoom.tsx";

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
  const isStacked = useSignal(false);
  const zoom = useSignal<Span | null>(null);
  const now = status.at.ms;
  const range = RANGES.find((one) => one.days === days.value) ?? RANGES[0];
  // A short part of a long time has finer figures of its own.
  const start = zoom.value?.fromMs ?? now - range.days * 24 * HOUR;
  const asked = RANGES.find((one) => now - start <= one.days * 24 * HOUR) ??
    range;
  const minute = Math.floor(now / 60_000);
  const { view, fault } = useDrawn(
    () => model.quota(asked.days),
    [asked.days, minute],
  );
  return (
    <>
      <h2>Quota</h2>
      <p class="filters">
        <label>
          The last{" "}
          <select
            value={days.value}
            onChange={({ currentTarget }) => {
              days.value = Number(currentTarget.value);
              zoom.value = null;
            }}
          >
            {RANGES.map(({ days, name }) => (
              <option key={days} value={days}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          <input
            type="checkbox"
            checked={isStacked.value}
            onChange={({ currentTarget }) => {
              isStacked.value = currentTarget.checked;
              zoom.value = null;
            }}
          />{" "}
          stack the pool: how much of all plans was used
        </label>
      </p>
      {fault.value === null
        ? null
        : <p role="alert" class="lost">{fault.value}</p>}
      {view.value === null
        ? fault.value === null ? <p>Reading the history…</p> : null
        : (
          <Curves
            model={model}
            view={view.value}
            status={status}
            range={range}
            zoom={zoom}
            isStacked={isStacked.value}
          />
        )}
    </>
  );
}

interface Drawn {
  readonly model: PageModel;
  readonly view: QuotaView;
  readonly status: StatusView;
  readonly range: Range;
  readonly zoom: Signal<Span | null>;
  readonly isStacked: boolean;
}

function Curves(
  { model, view, status, range, zoom, isStacked }: Drawn,
): VNode {
  const now = status.at.ms;
  if (view.accounts.length === 0) {
    return (
      <p>
        No figures yet: the first answers bring them, and a curve needs some
        minutes.
      </p>
    );
  }
  const whole = {
    fromMs: now - range.days * 24 * HOUR,
    untilMs: now + (isStacked ? 0 : range.aheadMs),
  };
  return (
    <>
      <p class="sum">{poolText(view)}</p>
      <ZoomBar zoom={zoom} whole={whole} now={now} />
      {isStacked
        ? (
          <Stacks
            model={model}
            view={view}
            status={status}
            days={range.days}
            zoom={zoom}
            whole={whole}
          />
        )
        : <Charts view={view} status={status} zoom={zoom} whole={whole} />}
      <Moves moves={view.moves} now={now} />
    </>
  );
}

/** The pool's use, and what changes of account cost it. */
function Stacks(
  { model, view, status, days, zoom, whole }: {
    readonly model: PageModel;
    readonly view: QuotaView;
    readonly status: StatusView;
    readonly days: number;
    readonly zoom: Signal<Span | null>;
    readonly whole: Span;
  },
): VNode {
  const report = useDrawn(() => model.report({ by: "day", days }), [days]);
  const total = report.view.value?.total ?? null;
  const written = total === null ? 0 : total.cacheWrite5m + total.cacheWrite1h;
  return (
    <>
      <p class="legend">
        Each account counts by the size of its plan. {total === null
          ? ""
          : written === 0
          ? "Nothing was written to a cache in this time."
          : `Lost to rebuilds after ${total.switches} changes of account: ${
            countText(total.switchRebuild)
          } tokens, ${
            percentText(total.switchRebuild / written)
          } of what was written to caches.`}
      </p>
      {Object.keys(LENGTH_MS).map((window) => (
        <PoolStack
          key={window}
          window={window}
          view={view}
          status={status}
          zoom={zoom}
          whole={whole}
        />
      ))}
    </>
  );
}

function Charts(
  { view, status, zoom, whole }: {
    readonly view: QuotaView;
    readonly status: StatusView;
    readonly zoom: Signal<Span | null>;
    readonly whole: Span;
  },
): VNode {
  return (
    <>
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
          now={status.at.ms}
          zoom={zoom}
          whole={whole}
        />
      ))}
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
  readonly now: number;
  readonly zoom: Signal<Span | null>;
  readonly whole: Span;
}

function Chart(parts: ChartParts): VNode {
  const { label, curves, moves, live, now, zoom, whole } = parts;
  const shown = zoom.value ?? whole;
  const { fromMs, untilMs } = shown;
  const { cursor, marked, handlers } = useBrush(zoom, shown, whole);
  // What is outside of the range is cut off by the drawing.
  const x = (at: number) => (at - fromMs) / (untilMs - fromMs) * WIDTH;
  const at = cursor.value;
  const start = Math.min(1, (now - fromMs) / (untilMs - fromMs));
  const where = fromMs + (at ?? start) * (untilMs - fromMs);
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
            `${curve.window} ${percentText(quotaAt(curve, now))}`
          ).join(", ")
        }; the slider below reads other times`}
        {...handlers}
      >
        {marked === null ? null : (
          <rect
            class="marked"
            x={marked[0] * WIDTH}
            width={(marked[1] - marked[0]) * WIDTH}
            height={HEIGHT}
          />
        )}
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
          value={at ?? start}
          onInput={({ currentTarget }) =>
            cursor.value = Number(currentTarget.value)}
        />
        <output>
          {clockText(where, now)}: {curves.map((curve) =>
            `${curve.window} ${percentText(quotaAt(curve, where, now))}`
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
