/**
 * The screen Spend: tokens and dollars by day, account, model, project or
 * session, what plans cost beside them, and a session opened into its requests.
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
  unknownPlans,
} from "../../control/history/plan_view.ts";
import type {
  ReportRowView,
  ReportView,
} from "../../control/history/report_view.ts";
import {
  type BlockView,
  blockWords,
  momentText,
} from "../../control/history/block_view.ts";
import { csvLines } from "../../control/history/report_csv.ts";
import {
  countText,
  moneyText,
  percentText,
  tierText,
} from "../../control/words.ts";
import { useDrawn } from "../drawn.ts";
import type { PageModel } from "../server.ts";
import {
  type Ask,
  type Asked,
  FIRST_ASKED,
  isTimeKind,
  SpendFilters,
} from "./spend_filters.tsx";
import { SpendChart } from "./spend_chart.tsx";
import { SessionTurns } from "../turns.tsx";

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
  const asked = useSignal<Asked>(FIRST_ASKED);
  const { by, days, split, project, machine, session } = asked.value;
  const isSplit = isTimeKind(by) && split !== "none";
  const { view, fault } = useDrawn(
    () =>
      model.report({
        by,
        days,
        split: isSplit ? split : null,
        project,
        machine,
      }),
    [by, days, isSplit ? split : null, project, machine],
  );
  const ask = (change: Partial<Asked>) => {
    asked.value = { ...asked.value, ...change };
  };
  return (
    <>
      <h2>Spend</h2>
      <SpendFilters model={model} asked={asked.value} ask={ask} />
      {fault.value === null
        ? null
        : <p role="alert" class="lost">{fault.value}</p>}
      {session !== null
        ? (
          <SessionTurns
            model={model}
            session={session}
            days={days}
            close={() => ask({ session: null })}
          />
        )
        : view.value === null
        ? fault.value === null ? <p>Reading the ledger…</p> : null
        : view.value.rows.length === 0
        ? <p>Nothing was recorded in that time.</p>
        : <Report view={view.value} ask={ask} />}
    </>
  );
}

function Report(
  { view, ask }: { readonly view: ReportView; readonly ask: Ask },
): VNode {
  const isTime = isTimeKind(view.by);
  const nameOf = (row: ReportRowView) => rowName(row, view);
  return (
    <>
      {isTime ? <SpendChart rows={view.rows} nameOf={nameOf} /> : null}
      {view.block === null ? null : <Block view={view} block={view.block} />}
      {view.plans === null || view.plans.accounts.length === 0
        ? null
        : <Plans plans={view.plans} />}
      <SpendTable view={view} isTime={isTime} ask={ask} />
      <p class="sum">
        {view.source === "ledger"
          ? "From the ledger"
          : "From the ledger and the transcripts"}, {view.rows.length}{" "}
        {view.rows.length === 1 ? "row" : "rows"}; list prices of{" "}
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

/** The start of a session's id, as everywhere in tc. */
const SESSION_SHOWN = 8;

function rowName(
  { key, label }: ReportRowView,
  { by, timeZone }: ReportView,
): string {
  if (by === "block" && key !== null) {
    return momentText(Date.parse(key), timeZone);
  }
  if (by === "session" && key !== null) {
    return `${key.slice(0, SESSION_SHOWN)}${label === null ? "" : ` ${label}`}`;
  }
  return label ?? key ?? "unknown";
}

/** The block that runs now, as `tc report block` says it. */
function Block(
  { view, block }: { readonly view: ReportView; readonly block: BlockView },
): VNode {
  const { now, rate, estimate, note } = blockWords(block, {
    timeZone: view.timeZone,
    hasCost: true,
  });
  return (
    <dl class="block">
      <div>
        <dt>This block</dt>
        <dd>{now}</dd>
      </div>
      <div>
        <dt>Rate</dt>
        <dd>{rate}</dd>
      </div>
      {estimate === null ? null : (
        <div>
          <dt>Estimate</dt>
          <dd>{estimate.text}, {estimate.basis}</dd>
        </div>
      )}
      <div>
        <dt>Blocks</dt>
        <dd>{note.replace(/^blocks are /, "")}</dd>
      </div>
    </dl>
  );
}

/** What plans cost beside what they covered; unknown is never nothing. */
function Plans({ plans }: { readonly plans: PlansView }): VNode {
  const unknown = unknownPlans(plans);
  return (
    <details class="plans">
      <summary>
        {plansText(plans) ?? "What the plans cost is unknown"}
        {unknown.length === 0 ? null : (
          <small>
            {" "}
            without {unknown.join(", ")}: price unknown
          </small>
        )}
      </summary>
      <ul>
        {plans.accounts.map((one) => (
          <li key={one.id}>
            <b>{one.label}</b> ({tierText(one.plan)}) {planWords(one)}
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

/** More rows wait for a button: a browser is slow with thousands. */
const ROWS_SHOWN = 100;

function SpendTable(
  { view, isTime, ask }: {
    readonly view: ReportView;
    readonly isTime: boolean;
    readonly ask: Ask;
  },
): VNode {
  const sort = useSignal<string | null>(null);
  const isAll = useSignal(false);
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
          {(isAll.value ? rows : rows.slice(0, ROWS_SHOWN)).map((row) => (
            <tr key={row.key}>
              <td>
                <RowName row={row} view={view} ask={ask} />
              </td>
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
      {isAll.value || rows.length <= ROWS_SHOWN ? null : (
        <p>
          {rows.length - ROWS_SHOWN} more rows are in these sums.{" "}
          <button type="button" onClick={() => isAll.value = true}>
            Show all {rows.length}
          </button>
        </p>
      )}
    </div>
  );
}

/** The name of a row; of a session or project with what it opens. */
function RowName(
  { row, view, ask }: {
    readonly row: ReportRowView;
    readonly view: ReportView;
    readonly ask: Ask;
  },
): VNode {
  const name = rowName(row, view);
  const { key } = row;
  if (key === null) return <>{name}</>;
  const change = view.by === "session"
    ? { session: key }
    : view.by === "project"
    ? { project: key, by: "day" } as const
    : view.by === "machine"
    ? { machine: key, by: "day" } as const
    : null;
  if (change === null) return <>{name}</>;
  return (
    <button
      type="button"
      class="open"
      title={view.by === "session" ? `Requests of ${key}` : `Only ${key}`}
      onClick={() => ask(change)}
    >
      {name}
    </button>
  );
}

function csvOf(view: ReportView): string {
  return [...csvLines([view], { hasCost: true }), ""].join("\r\n");
}

function save(text: string, ending: "csv" | "json"): void {
  const url = URL.createObjectURL(new Blob([text]));
  const link = document.createElement("a");
  link.href = url;
  link.download = `tc-report.${ending}`;
  link.click();
  URL.revokeObjectURL(url);
}
