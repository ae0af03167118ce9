/**
 * The chart of Spend: one bar a day, week, month or block, split as wished.
 *
 * @module
 */

/** @jsxImportSource preact */
/// <reference lib="dom" />

import type { VNode } from "preact";
import type {
  ReportPartView,
  ReportRowView,
} from "../../control/history/report_view.ts";
import { countText, moneyText, percentText } from "../../control/words.ts";

/** Fewer bars than this stay as narrow as if there were so many. */
const BARS_MIN = 14;
/** So many parts get a colour of their own; the others share one. */
const COLOURS = 7;
const OTHERS = "others";
/** The height of the highest bar, of 50. */
const HIGHEST = 48;

/** One colour of all bars. */
interface Series {
  readonly name: string;
  /** The class that colours it. */
  readonly look: string;
  /** By bar. */
  readonly values: readonly number[];
}

interface Bars {
  readonly series: readonly Series[];
  /** Whether values are dollars; else they are tokens. */
  readonly isMoney: boolean;
}

/** Bars of dollars, or of tokens where nothing has a price. */
export function SpendChart(
  { rows, nameOf }: {
    readonly rows: readonly ReportRowView[];
    /** Returns what a bar is called. */
    readonly nameOf: (row: ReportRowView) => string;
  },
): VNode {
  const { series, isMoney } = barsOf(rows);
  const sums = rows.map((_, at) =>
    series.reduce((sum, { values }) => sum + (values[at] ?? 0), 0)
  );
  const most = Math.max(1e-9, ...sums);
  const width = 100 / Math.max(BARS_MIN, rows.length);
  const unit = isMoney ? "dollars at list price" : "tokens";
  const text = (value: number) => isMoney ? moneyText(value) : countText(value);
  const first = rows[0];
  const last = rows.at(-1);
  return (
    <>
      <svg
        class="chart"
        viewBox="0 0 100 50"
        preserveAspectRatio="none"
        role="img"
        aria-label={`${unit}, from ${
          first === undefined ? "" : nameOf(first)
        } to ${last === undefined ? "" : nameOf(last)}, at most ${
          text(most)
        }; the table below has the figures`}
      >
        {rows.map((row, at) => {
          let below = 0;
          return (
            <g key={row.key}>
              <title>
                {[
                  `${nameOf(row)}: ${text(sums[at] ?? 0)}`,
                  ...series.filter(({ values }) => (values[at] ?? 0) > 0)
                    .map(({ name, values }) =>
                      `${name} ${text(values[at] ?? 0)}`
                    ),
                ].join("\n")}
              </title>
              {series.map(({ name, look, values }) => {
                const height = HIGHEST * (values[at] ?? 0) / most;
                below += height;
                return (
                  <rect
                    key={name}
                    class={look}
                    x={at * width + width * 0.1}
                    width={width * 0.8}
                    y={50 - below}
                    height={height}
                  />
                );
              })}
            </g>
          );
        })}
      </svg>
      <p class="ends">
        <span>{first === undefined ? "" : nameOf(first)}</span>
        <span>highest {text(most)}</span>
        <span>{last === undefined ? "" : nameOf(last)}</span>
      </p>
      <Key series={series} text={text} />
    </>
  );
}

/** What each colour is, with its sum. */
function Key(
  { series, text }: {
    readonly series: readonly Series[];
    readonly text: (value: number) => string;
  },
): VNode {
  const sums = series.map(({ values }) => values.reduce((a, b) => a + b, 0));
  const all = sums.reduce((a, b) => a + b, 0);
  return (
    <ul class="key">
      {series.map(({ name, look }, at) => {
        const sum = sums[at] ?? 0;
        if (sum === 0 && series.length > 1) return null;
        return (
          <li key={name}>
            <svg class="swatch" viewBox="0 0 1 1" aria-hidden="true">
              <rect class={look} width="1" height="1" />
            </svg>{" "}
            {name} {text(sum)}
            {all > 0 && series.length > 1 ? ` (${percentText(sum / all)})` : ""}
          </li>
        );
      })}
    </ul>
  );
}

function barsOf(rows: readonly ReportRowView[]): Bars {
  const isMoney = rows.some(({ costUsd }) => (costUsd ?? 0) > 0);
  if (rows.some(({ parts }) => parts !== undefined)) {
    return { series: partSeries(rows, isMoney), isMoney };
  }
  const series = isMoney
    ? [
      {
        name: "covered by plans",
        look: "worth",
        values: rows.map(({ worthUsd }) => worthUsd ?? 0),
      },
      {
        name: "paid",
        look: "paid",
        values: rows.map(({ paidUsd }) => paidUsd ?? 0),
      },
    ]
    : [{
      name: "tokens, nothing has a price",
      look: "plain",
      values: rows.map((row) =>
        row.input + row.cacheRead + row.cacheWrite5m + row.cacheWrite1h +
        row.output
      ),
    }];
  return { series, isMoney };
}

/** Returns the dearest parts, the first at the bottom, and all others as one. */
function partSeries(
  rows: readonly ReportRowView[],
  isMoney: boolean,
): readonly Series[] {
  const worth = ({ costUsd, tokens }: ReportPartView) =>
    isMoney ? costUsd ?? 0 : tokens;
  const sums = new Map<string | null, number>();
  const labels = new Map<string | null, string>();
  for (const part of rows.flatMap(({ parts = [] }) => parts)) {
    sums.set(part.key, (sums.get(part.key) ?? 0) + worth(part));
    labels.set(part.key, part.label ?? part.key ?? "unknown");
  }
  // Equal ones by name, so that each keeps its colour.
  const keys = [...sums.keys()].toSorted((a, b) =>
    (sums.get(b) ?? 0) - (sums.get(a) ?? 0) ||
    (labels.get(a) ?? "").localeCompare(labels.get(b) ?? "")
  );
  const own = keys.slice(0, COLOURS);
  const rest = new Set(keys.slice(COLOURS));
  const valuesOf = (isIn: (key: string | null) => boolean) =>
    rows.map(({ parts = [] }) =>
      parts.filter(({ key }) => isIn(key))
        .reduce((sum, part) => sum + worth(part), 0)
    );
  return [
    ...own.map((key, at) => ({
      name: labels.get(key) ?? "unknown",
      look: `part${at}`,
      values: valuesOf((one) => one === key),
    })),
    ...rest.size === 0 ? [] : [{
      name: `${rest.size} ${OTHERS}`,
      look: "rest",
      values: valuesOf((key) => rest.has(key)),
    }],
  ];
}
