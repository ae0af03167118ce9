/**
 * What the screen Spend may be asked for: the rows, the days, what bars are
 * split by, one repository and one machine.
 *
 * @module
 */

/** @jsxImportSource preact */
/// <reference lib="dom" />

import type { VNode } from "preact";
import type { MachineView } from "../../control/protocol.ts";
import type { PageModel } from "../server.ts";

const KINDS = [
  "day",
  "week",
  "month",
  "block",
  "account",
  "model",
  "project",
  "session",
  "machine",
] as const;
type Kind = typeof KINDS[number];
/** The key of this machine in a report, where others are called by their names. */
const THIS = "this machine";
const DAYS = [1, 7, 14, 30, 90, 365] as const;

/** What a chart's bars may be split by; none: what plans covered, and paid. */
const SPLITS = ["none", "account", "model", "project"] as const;

/** What is asked for: shared by the parts of the screen. */
export interface Asked {
  readonly by: Kind;
  readonly days: number;
  readonly split: typeof SPLITS[number];
  /** The path of a repository; null: all. */
  readonly project: string | null;
  /** A machine of a shared pool by its name, or {@linkcode THIS}; null: all. */
  readonly machine: string | null;
  /** The session that is opened, or null. */
  readonly session: string | null;
}

export const FIRST_ASKED: Asked = {
  by: "day",
  days: 14,
  split: "none",
  project: null,
  machine: null,
  session: null,
};

/** Changes what is asked for. */
export type Ask = (change: Partial<Asked>) => void;

/** The machines of a shared pool; empty for a machine that is alone. */
function machinesOf({ standing }: PageModel): readonly MachineView[] {
  const { value } = standing;
  return value.kind === "known" ? value.status.machines : [];
}

/** Chooses one machine, also one that has left and is only in the ledger. */
function MachineFilter(
  { machines, machine, ask }: {
    readonly machines: readonly MachineView[];
    readonly machine: string | null;
    readonly ask: Ask;
  },
): VNode {
  const names = machines.filter(({ isThis }) => !isThis).map(({ name }) =>
    name
  );
  const own = machines.find(({ isThis }) => isThis)?.name;
  const isListed = machine === null || machine === THIS ||
    names.includes(machine);
  return (
    <label>
      Machine{" "}
      <select
        value={machine ?? ""}
        onChange={({ currentTarget: { value } }) =>
          ask({ machine: value === "" ? null : value, session: null })}
      >
        <option value="">all</option>
        <option value={THIS}>
          {own === undefined ? "this one" : `${own} (this one)`}
        </option>
        {(isListed ? names : [...names, machine]).map((name) => (
          <option key={name} value={name}>{name}</option>
        ))}
      </select>
    </label>
  );
}

export function SpendFilters(
  { model, asked, ask }: {
    readonly model: PageModel;
    readonly asked: Asked;
    readonly ask: Ask;
  },
): VNode {
  const { by, days, split, project, machine } = asked;
  const machines = machinesOf(model);
  const isShared = machines.length > 0;
  const kinds = KINDS.filter((kind) => kind !== "machine" || isShared);
  return (
    <p class="filters">
      <label>
        By{" "}
        <select
          value={by}
          onChange={({ currentTarget: { value } }) =>
            ask({
              by: KINDS.find((one) => one === value) ?? "day",
              session: null,
            })}
        >
          {kinds.map((kind) => <option key={kind}>{kind}</option>)}
        </select>
      </label>
      <label>
        Over{" "}
        <select
          value={days}
          onChange={({ currentTarget: { value } }) =>
            ask({ days: Number(value) })}
        >
          {DAYS.map((one) => (
            <option key={one} value={one}>
              {one === 1 ? "today" : `${one} days`}
            </option>
          ))}
        </select>
      </label>
      {isTimeKind(by)
        ? (
          <label>
            Bars by{" "}
            <select
              value={split}
              onChange={({ currentTarget: { value } }) =>
                ask({
                  split: SPLITS.find((one) => one === value) ?? "none",
                })}
            >
              {SPLITS.map((one) => (
                <option key={one} value={one}>
                  {one === "none" ? "plans and paid" : one}
                </option>
              ))}
            </select>
          </label>
        )
        : null}
      {!isShared && machine === null
        ? null
        : <MachineFilter machines={machines} machine={machine} ask={ask} />}
      {project === null ? null : (
        <span>
          Only {project}{" "}
          <button type="button" onClick={() => ask({ project: null })}>
            All projects
          </button>
        </span>
      )}
    </p>
  );
}

/** Whether rows are spans of time, which a chart shows. */
export function isTimeKind(by: string): boolean {
  return ["day", "week", "month", "block"].includes(by);
}
