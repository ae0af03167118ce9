/**
 * The screen Spend: tokens and dollars by day, account, model or session.
 *
 * @module
 */

/** @jsxImportSource preact */
/// <reference lib="dom" />

import { useSignal } from "@preact/signals";
import type { VNode } from "preact";
import {
  plansText,
  type PlansView,
  type PlanView,
} from "../control/history/plan_view.ts";
import type {
  ReportRowView,
  ReportView,
} from "../control/history/report_view.ts";
import { countText, moneyText, percentText } from "../control/words.ts";
import { useDrawn } from "./drawn.ts";
import type { PageModel } from "./server.ts";

const KINDS = [
  "day",
  "week",
  "month",
  "account",
  "model",
  "project",
  "session",
] as const;
type Kind = typeof KINDS[number];
const DAYS = [1, 7, 14, 30, 90, 365] as const;

/** The columns of numbers: heading, value to sort by, and its text. */
const COLUMNS: readonly {
  readonly name: string;
  readonly value: (row: Sums) => number;
  readonly text: (row: Sums) => string;
}[] = [
  {
    name: "Requests",
    value: (r) => r.requests,
    text: (r) => count(r.requests),
  },
  { name: "Fresh", value: (r) => r.input, text: (r) => count(r.input) },
  { name: "Read", value: (r) => r.cacheRead, text: (r) => count(r.cacheRead) },
  { name: "Written", value: written, text: (r) => count(written(r)) },
  { name: "Output", value: (r) => r.output, text: (r) => count(r.output) },
  {
    name: "From cache",
    value: (r) => r.hitRate ?? -1,
    text: (r) => r.hitRate === null ? "" : percentText(r.hitRate),
  },
  {
    name: "Worth",
    value: (r) => r.worthUsd ?? 0,
    text: (r) => moneyText(r.worthUsd),
  },
  {
    name: "Paid",
    value: (r) => r.paidUsd ?? 0,
    text: (r) => moneyText(r.paidUsd),
  },
];

/** What plans cost; only where a report compares them. */
const PLAN_COLUMN: typeof COLUMNS[number] = {
  name: "Plans",
  value: (r) => r.planUsd ?? 0,
  text: (r) => r.planUsd === null ? "unknown" : moneyText(r.planUsd ?? null),
};

type Sums = Omit<ReportRowView, "key" | "label" | "firstAt" | "lastAt">;

function written({ cacheWrite5m, cacheWrite1h }: Sums): number {
  return cacheWrite5m + cacheWrite1h;
}

function count(value: number): string {
  return value === 0 ? "" : countText(value);
}

export function SpendScreen(
  { model }: { readonly model: PageModel },
): VNode {
  const by = useSignal<Kind>("day");
  const days = useSignal(14);
  const { view, fault } = useDrawn(
    () => model.report(by.value, days.value),
    [by.value, days.value],
  );
  return (
    <>
      <h2>Spend</h2>
      <p class="filters">
        <label>
          By{" "}
          <select
            value={by.value}
            onChange={({ currentTarget }) =>
              by.value = KINDS.find((one) => one === currentTarget.value) ??
                "day"}
          >
            {KINDS.map((kind) => <option key={kind}>{kind}</option>)}
          </select>
        </label>
        <label>
          Over{" "}
          <select
            value={days.value}
            onChange={({ currentTarget }) =>
              days.value = Number(currentTarget.value)}
          >
            {DAYS.map((one) => (
              <option key={one} value={one}>
                {one === 1 ? "today" : `${one} days`}
              </option>
            ))}
          </select>
        </label>
      </p>
      {fault.value === null
        ? null
        : <p role="alert" class="lost">{fault.value}</p>}
      {view.value === null
        ? fault.value === null ? <p>Reading the ledger…</p> : null
        : view.value.rows.length === 0
        ? <p>Nothing was recorded in that time.</p>
        : <Report view={view.value} />}
    </>
  );
}

function Report({ view }: { readonly view: ReportView }): VNode {
  const isTime = ["day", "week", "month"].includes(view.by);
  return (
    <>
      {isTime ? <Chart rows={view.rows} /> : null}
      {view.plans === null || view.plans.accounts.length === 0
        ? null
        : <Plans plans={view.plans} />}
      <SpendTable view={view} isTime={isTime} />
      <p class="sum">
        From the ledger, {view.rows.length} rows; list prices of{" "}
        {view.pricesAsOf}; days of {view.timeZone}.{" "}
        <button type="button" onClick={() => save(csvOf(view), "csv")}>
          CSV
        </button>{" "}
        <button
          type="button"
          onClick={() => save(JSON.stringify(view, null, 2), "json")}
        >
          JSON
        </button>
      </p>
    </>
  );
}

/** What plans cost beside what they covered; unknown is never nothing. */
function Plans({ plans }: { readonly plans: PlansView }): VNode {
  return (
    <details class="plans">
      <summary>
        {plansText(plans) ?? "What the plans cost is unknown"}
      </summary>
      <ul>
        {plans.accounts.map((one) => (
          <li key={one.id}>
            <b>{one.label}</b> ({one.plan.replaceAll("_", " ")}){" "}
            {planWords(one)}
          </li>
        ))}
      </ul>
      <p>
        List prices of {plans.pricesAsOf}, or what you stated with{" "}
        <code>tc prices plan</code>;{" "}
        by the time in the pool within these days, days without use as well.
        Sums have the plans of known price alone.
      </p>
    </details>
  );
}

function planWords(
  { usdPerMonth, priceFrom, costUsd, worthUsd, since }: PlanView,
): string {
  const worth = `worth ${worthUsd === null ? "unpriced" : moneyText(worthUsd)}`;
  if (costUsd === null) return `${worth}, its price is unknown`;
  const day = new Date(since.ms).toLocaleDateString();
  const own = priceFrom === "own" ? " by you" : "";
  return `${worth}, cost ${
    moneyText(costUsd)
  } since ${day} at $${usdPerMonth} a month${own}`;
}

/** Fewer bars than this stay as narrow as if there were so many. */
const BARS_MIN = 14;

/** Bars of dollars, or of tokens where nothing has a price. */
function Chart({ rows }: { readonly rows: readonly ReportRowView[] }): VNode {
  const isPriced = rows.some(({ costUsd }) => (costUsd ?? 0) > 0);
  const parts = rows.map((row) => ({
    row,
    worth: isPriced ? row.worthUsd ?? 0 : 0,
    paid: isPriced ? row.paidUsd ?? 0 : 0,
    plain: isPriced ? 0 : row.input + row.cacheRead + written(row) + row.output,
  }));
  const most = Math.max(
    1e-9,
    ...parts.map(({ worth, paid, plain }) => worth + paid + plain),
  );
  const width = 100 / Math.max(BARS_MIN, rows.length);
  const unit = isPriced ? "dollars at list price" : "tokens";
  return (
    <svg
      class="chart"
      viewBox="0 0 100 50"
      preserveAspectRatio="none"
      role="img"
      aria-label={`${unit}, from ${rows[0]?.key ?? ""} to ${
        rows.at(-1)?.key ?? ""
      }; the table below has the figures`}
    >
      {parts.map(({ row, worth, paid, plain }, at) => {
        const height = (part: number) => 48 * part / most;
        const base = height(worth + plain);
        return (
          <g key={row.key}>
            <title>{`${row.key}: ${moneyText(row.costUsd)}`}</title>
            <rect
              class={isPriced ? "worth" : "plain"}
              x={at * width + width * 0.1}
              width={width * 0.8}
              y={50 - base}
              height={base}
            />
            <rect
              class="paid"
              x={at * width + width * 0.1}
              width={width * 0.8}
              y={50 - base - height(paid)}
              height={height(paid)}
            />
          </g>
        );
      })}
    </svg>
  );
}

function SpendTable(
  { view, isTime }: { readonly view: ReportView; readonly isTime: boolean },
): VNode {
  const sort = useSignal<string | null>(null);
  const hasPlans = view.rows.some(({ planUsd }) => planUsd !== undefined);
  const columns = hasPlans ? [...COLUMNS, PLAN_COLUMN] : COLUMNS;
  const total = { ...view.total, planUsd: view.plans?.costUsd ?? null };
  const column = columns.find(({ name }) => name === sort.value);
  const rows = column === undefined
    ? isTime ? view.rows.toReversed() : view.rows
    : view.rows.toSorted((a, b) => column.value(b) - column.value(a));
  return (
    <div class="wide" tabIndex={0} role="region" aria-label="Spend">
      <table>
        <thead>
          <tr>
            <th scope="col">{view.by}</th>
            {columns.map(({ name }) => (
              <th
                key={name}
                scope="col"
                class="number"
                aria-sort={sort.value === name ? "descending" : "none"}
              >
                <button
                  type="button"
                  onClick={() => sort.value = sort.value === name ? null : name}
                >
                  {name}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.key}>
              <td>{row.label ?? row.key ?? "unknown"}</td>
              {columns.map(({ name, text }) => (
                <td key={name} class="number">{text(row)}</td>
              ))}
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <td>all</td>
            {columns.map(({ name, text }) => (
              <td key={name} class="number">{text(total)}</td>
            ))}
          </tr>
        </tfoot>
      </table>
    </div>
  );
}

const CSV_FIELDS = [
  "requests",
  "failed",
  "input",
  "cacheRead",
  "cacheWrite5m",
  "cacheWrite1h",
  "output",
  "costUsd",
  "worthUsd",
  "paidUsd",
  "planUsd",
] as const;

function csvOf({ by, rows }: ReportView): string {
  const lines = rows.map((row) =>
    [
      quoted(row.label ?? row.key ?? "unknown"),
      ...CSV_FIELDS.map((name) => row[name] ?? ""),
    ].join(",")
  );
  return [[by, ...CSV_FIELDS].join(","), ...lines, ""].join("\r\n");
}

/** A spreadsheet must not take a name for a formula. */
function quoted(text: string): string {
  const plain = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return `"${plain.replaceAll('"', '""')}"`;
}

function save(text: string, ending: "csv" | "json"): void {
  const url = URL.createObjectURL(new Blob([text]));
  const link = document.createElement("a");
  link.href = url;
  link.download = `tc-report.${ending}`;
  link.click();
  URL.revokeObjectURL(url);
}
