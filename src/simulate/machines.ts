/**
 * Several machines that share a pool through a store, in simulated time: each
 * knows its own answers at once, and those of the others late.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import type { PoolEvent } from "../core/pool/event.ts";
import {
  type BookedBefore,
  type MachineCounts,
  ownCounts,
  sumElsewhere,
} from "../core/pool/headcount.ts";
import type { QuotaWindow } from "../core/quota/quota.ts";
import type { World } from "./world.ts";

/** How machines hear of each other. */
export interface MachineLinks {
  /** The machines on which the sessions run, one after the other. */
  readonly count: number;
  /** Time between two words about requests in flight. */
  readonly heartbeatMs: number;
  /** Figures are sent, and read, at most this often. */
  readonly figuresMs: number;
  /** Time that a notice takes. */
  readonly notifyMs: number;
  /** False: each machine believes that it has the accounts for itself. */
  readonly isShared: boolean;
}

/** As the product does it, with a database nearby. */
export const DEFAULT_LINKS: MachineLinks = {
  count: 1,
  heartbeatMs: 2_000,
  figuresMs: 1_000,
  notifyMs: 100,
  isShared: true,
};

/** Connects the worlds of the machines, which have one provider. */
export function connect(worlds: readonly World[], links: MachineLinks): void {
  if (worlds.length < 2 || !links.isShared) return;
  const store = new Store(worlds, links);
  worlds.forEach((world, machine) => {
    world.onNews = (event) => store.note(machine, event);
  });
}

class Store {
  readonly #worlds: readonly World[];
  readonly #links: MachineLinks;
  /** The newest figures of each window, with who saw them. */
  readonly #windows = new Map<string, { window: QuotaWindow; from: number }>();
  /** The last word of each machine about its requests and conversations. */
  readonly #said = new Map<number, MachineCounts>();
  readonly #booked: BookedBefore[] = [];
  /** Machines that will soon beat, tell, or read. */
  readonly #beats = new Set<number>();
  readonly #hearings = new Set<number>();
  readonly #tells = new Set<number>();
  readonly #reads = new Set<number>();
  readonly #dirty: Set<AccountId>[];
  #isTakingIn = false;

  constructor(worlds: readonly World[], links: MachineLinks) {
    this.#worlds = worlds;
    this.#links = links;
    this.#dirty = worlds.map(() => new Set());
  }

  note(machine: number, event: PoolEvent): void {
    if (this.#isTakingIn) return;
    switch (event.kind) {
      case "lease_opened":
      case "lease_closed":
      case "parked":
      case "waiting_changed":
      case "waiting_ended":
        return this.#soon(
          this.#beats,
          machine,
          this.#toBeat(machine),
          () => this.#beat(machine),
        );
      case "quota_observed":
        this.#dirty[machine]?.add(event.observation.accountId);
        return this.#soon(
          this.#tells,
          machine,
          this.#links.figuresMs,
          () => this.#tell(machine),
        );
      case "verdict_given":
        return this.#refused(machine, event);
      default:
        return;
    }
  }

  /** Machines do not beat at one instant. */
  #toBeat(machine: number): number {
    const { heartbeatMs } = this.#links;
    const phase = heartbeatMs * machine / this.#worlds.length;
    const now = this.#worlds[0]?.clock.now ?? 0;
    return heartbeatMs - (now + phase) % heartbeatMs;
  }

  #soon(
    due: Set<number>,
    machine: number,
    ms: number,
    run: () => void,
  ): void {
    if (due.has(machine)) return;
    due.add(machine);
    const clock = this.#worlds[machine]?.clock;
    clock?.at(clock.now + ms, () => {
      due.delete(machine);
      run();
    });
  }

  /** Tells of a change, which the others hear when they beat next. */
  #beat(machine: number): void {
    this.#say(machine);
    this.#worlds.forEach((_, other) => {
      if (other === machine) return;
      this.#soon(
        this.#hearings,
        other,
        this.#toBeat(other),
        () => this.#say(other),
      );
    });
  }

  /** Says what the machine does, and hears the last word of each other one. */
  #say(machine: number): void {
    const world = this.#worlds[machine];
    if (world === undefined) return;
    const own = { machine: String(machine), ...ownCounts(world.snapshot()) };
    this.#said.set(machine, own);
    const others = [...this.#said].filter(([other]) => other !== machine)
      .map(([, counts]) => counts);
    const { accounts, stalled, booked } = sumElsewhere(
      own,
      others,
      this.#booked[machine] ?? new Map(),
    );
    this.#booked[machine] = booked;
    this.#take(machine, {
      kind: "counted_elsewhere",
      accounts,
      stalled,
      at: world.now,
    });
  }

  #tell(machine: number): void {
    const world = this.#worlds[machine];
    for (const id of this.#dirty[machine] ?? []) {
      const windows = world?.state.accounts.get(id)?.windows ?? {};
      for (const window of Object.values(windows)) {
        const key = `${id} ${window.key}`;
        const known = this.#windows.get(key);
        if (known && known.window.observedAt >= window.observedAt) continue;
        this.#windows.set(key, { window, from: machine });
      }
    }
    this.#dirty[machine]?.clear();
    const { notifyMs, figuresMs } = this.#links;
    this.#worlds.forEach((_, other) => {
      if (other === machine) return;
      this.#soon(
        this.#reads,
        other,
        notifyMs + figuresMs / 2,
        () => this.#read(other),
      );
    });
  }

  #read(machine: number): void {
    const accounts = this.#worlds[machine]?.state.accounts;
    if (accounts === undefined) return;
    for (const [id, { windows: own }] of accounts) {
      const windows: QuotaWindow[] = [];
      for (const key of ["5h", "7d", "7d_oi"]) {
        const known = this.#windows.get(`${id} ${key}`);
        if (known === undefined || known.from === machine) continue;
        const seenAt = own[key]?.observedAt ?? 0;
        if (known.window.observedAt > seenAt) windows.push(known.window);
      }
      const [first] = windows;
      if (first === undefined) continue;
      this.#take(machine, {
        kind: "quota_observed",
        observation: {
          accountId: id,
          at: first.observedAt,
          source: first.source,
          windows,
          overage: null,
        },
      });
    }
  }

  /** A refusal is told at once. */
  #refused(
    machine: number,
    event: Extract<PoolEvent, { readonly kind: "verdict_given" }>,
  ): void {
    const { verdict, at, leaseId } = event;
    if (verdict.kind !== "exhausted" && verdict.kind !== "throttled") return;
    const world = this.#worlds[machine];
    const accountId = world?.state.leases.get(leaseId)?.accountId;
    if (world === undefined || accountId === undefined) return;
    world.clock.at(world.clock.now + this.#links.notifyMs, () => {
      this.#worlds.forEach((_, other) => {
        if (other === machine) return;
        this.#take(other, {
          kind: "refused_elsewhere",
          accountId,
          verdict,
          at,
        });
      });
    });
  }

  /** What others say is not told again. */
  #take(machine: number, event: PoolEvent): void {
    this.#isTakingIn = true;
    try {
      this.#worlds[machine]?.dispatch(event);
    } finally {
      this.#isTakingIn = false;
    }
  }
}
