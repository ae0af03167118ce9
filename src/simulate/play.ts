/**
 * Plays a workload against the real core and returns how it went.
 *
 * @module
 */

import type { TicketId } from "../core/account.ts";
import { scheduledOpenings } from "../core/quota/schedule.ts";
import {
  DEFAULT_ROUTE_SETTINGS,
  type RouteSettings,
} from "../core/settings.ts";
import { connect, DEFAULT_LINKS, type MachineLinks } from "./machines.ts";
import { newErrand } from "./workload/errand.ts";
import { DEFAULT_HOLD, type HoldBounds, Proxy } from "./proxy.ts";
import { Random } from "./random.ts";
import { DOLLARS_PER_TOKEN, type Score } from "./tally.ts";
import {
  type PlannedConversation,
  type PlannedRequest,
  type PlannedSession,
  type Workload,
  type Worth,
  worths,
} from "./workload/workload.ts";
import { World } from "./world.ts";

const HOUR_MS = 3_600_000;

/** First pause before the client retries a failed request by itself. */
const CLIENT_BACKOFF_MS = 500;
const CLIENT_BACKOFF_MAX_MS = 32_000;
const CLIENT_RETRIES_MAX = 10;
/** The client adds up to a quarter to each of its pauses, an eighth on average. */
const CLIENT_JITTER = 1.125;
/**
 * How long after the reset that it was told Claude Code comes again: 89 s were
 * measured (claude-code-client 9); it seems to look once a minute.
 */
const CLIENT_RETURN_MS = [20_000, 90_000] as const;
/** How long until a person asks again after a failure. */
const PERSON_RETRIES_AFTER_MS = 120_000;
const SCHEDULE_MS = 600_000;

interface PlayOptions {
  readonly settings?: Partial<RouteSettings>;
  /** How long requests are held, the rest on default. */
  readonly hold?: Partial<HoldBounds>;
  /** Seed of the provider's random behaviour. */
  readonly seed?: number;
  /** The machines that share the pool, the rest on default. */
  readonly machines?: Partial<MachineLinks>;
}

/**
 * Returns the score of `workload` under the given settings, the rest on
 * default.
 */
export function play(workload: Workload, options: PlayOptions = {}): Score {
  const settings = { ...DEFAULT_ROUTE_SETTINGS, ...options.settings };
  const links = { ...DEFAULT_LINKS, ...options.machines };
  const seed = options.seed ?? 1;
  const world = new World(workload, settings, { seed, beside: null });
  const others = Array.from(
    { length: links.count - 1 },
    // The core remembers its last count of a pool by its settings.
    () => new World(workload, { ...settings }, { seed, beside: world }),
  );
  const worlds: readonly [World, ...World[]] = [world, ...others];
  connect(worlds, links);
  const player = new Player(worlds, { ...DEFAULT_HOLD, ...options.hold });
  workload.sessions.forEach((session, index) => player.start(session, index));
  // One machine asks for the figures of a pool that is shared.
  for (const one of links.isShared ? [world] : worlds) poll(one);
  if (settings.openWindows === "scheduled") openBySchedule(world);
  world.clock.runUntil(workload.endsAt);
  return player.score();
}

function poll(world: World): void {
  const { pollMs } = world.workload;
  if (pollMs === null) return;
  [...world.accounts.keys()].forEach((id, index, all) => {
    function ask(): void {
      world.observe(id, "usage_endpoint", null);
      world.clock.at(world.clock.now + (pollMs ?? 0), ask);
    }
    world.clock.at(world.clock.now + pollMs * (index + 1) / all.length, ask);
  });
}

function openBySchedule(world: World): void {
  const opened = new Set<string>();
  function look(): void {
    for (const { accountId, at } of scheduledOpenings(world.snapshot(), 0)) {
      const key = `${accountId}/${at}`;
      const isDue = at <= world.clock.now &&
        world.clock.now - at < 4 * HOUR_MS;
      if (!isDue || opened.has(key)) continue;
      opened.add(key);
      world.openWindow(accountId);
    }
    world.clock.at(world.clock.now + SCHEDULE_MS, look);
  }
  world.clock.at(world.clock.now, look);
}

/** The state of one conversation. */
interface Walk {
  readonly plan: PlannedConversation;
  /** The proxy of the machine that it runs on. */
  readonly proxy: Proxy;
  readonly parent: string | null;
  readonly deadline: number;
  next: number;
  /** Requests that were served, without side requests. */
  turns: number;
  readonly onDone: () => void;
}

/** What a client that asks again knows of its earlier tries. */
interface Again {
  /** Its tries after errors. */
  readonly retries: number;
  /** When it first wanted the answer; null before the first try. */
  readonly wantedAt: number | null;
  /** Whether it asks without a stream. */
  readonly isPlain: boolean;
}

const FIRST: Again = { retries: 0, wantedAt: null, isPlain: false };

class Player {
  readonly #world: World;
  readonly #proxies: readonly Proxy[];
  readonly #worths: ReadonlyMap<PlannedRequest, Worth>;
  readonly #random: Random;
  #tickets = 0;

  /** The worlds of the machines; they have one clock and one provider. */
  constructor(worlds: readonly [World, ...World[]], hold: HoldBounds) {
    const [world] = worlds;
    this.#world = world;
    this.#proxies = worlds.map((one) => new Proxy(one, hold));
    this.#worths = worths(world.workload);
    this.#random = new Random(world.workload.sessions.length);
  }

  /** Starts the session `index` of the workload. */
  start(session: PlannedSession, index: number): void {
    const proxy = this.#proxies[index % this.#proxies.length];
    if (proxy === undefined) return;
    const walk: Walk = {
      plan: session,
      proxy,
      parent: null,
      deadline: session.deadline ?? this.#world.workload.endsAt,
      next: 0,
      turns: 0,
      onDone: () => {},
    };
    this.#world.clock.at(session.startsAt, () => this.#step(walk));
  }

  /** Makes the conversation's next request after its pause. */
  #step(walk: Walk): void {
    const request = walk.plan.requests[walk.next];
    if (request === undefined) {
      walk.onDone();
      return;
    }
    const { clock } = this.#world;
    clock.at(clock.now + request.gapMs, () => this.#make(walk, request, FIRST));
  }

  #make(walk: Walk, request: PlannedRequest, again: Again): void {
    const { clock } = this.#world;
    if (clock.now > walk.deadline) return;
    const wantedAt = again.wantedAt ?? clock.now;
    const next = { ...again, wantedAt };
    // Nobody waits for a side request, and no client sends it again.
    const errand = newErrand({
      request,
      conversation: walk.plan.id,
      turn: walk.turns + 1,
      parent: walk.parent,
      usefulTokens: this.#worths.get(request)?.tokens ?? 0,
      wantedAt,
      isStream: !request.isSide && !again.isPlain,
      deadline: walk.deadline,
      // A counter names the ticket, so no two are equal in one simulation.
      ticket: `t${this.#tickets++}` as TicketId,
      onServed: () => {
        if (!request.isSide) this.#served(walk, request);
      },
      onFailed: (retryAfterMs) => {
        if (!request.isSide) this.#failed(walk, request, next, retryAfterMs);
      },
      onLimited: (backAt) => {
        if (!request.isSide) this.#limited(walk, request, next, backAt);
      },
      onInterrupted: () => {
        // Claude Code asks again at once, without a stream.
        this.#make(walk, request, { ...next, isPlain: true });
      },
    });
    walk.proxy.start(errand);
    if (!request.isSide) return;
    walk.next++;
    this.#step(walk);
  }

  #served(walk: Walk, request: PlannedRequest): void {
    walk.next++;
    walk.turns++;
    let open = request.agents.length;
    if (open === 0) {
      this.#step(walk);
      return;
    }
    for (const agent of request.agents) {
      this.#step({
        plan: agent,
        proxy: walk.proxy,
        parent: walk.plan.id,
        deadline: walk.deadline,
        next: 0,
        turns: 0,
        onDone: () => {
          if (--open === 0) this.#step(walk);
        },
      });
    }
  }

  #failed(
    walk: Walk,
    request: PlannedRequest,
    { retries, wantedAt }: Again,
    retryAfterMs: number,
  ): void {
    const { clock } = this.#world;
    const isOver = retries >= CLIENT_RETRIES_MAX;
    const backoffMs = Math.min(
      CLIENT_BACKOFF_MAX_MS,
      CLIENT_BACKOFF_MS * 2 ** retries,
    );
    const pauseMs = isOver
      ? PERSON_RETRIES_AFTER_MS
      : Math.max(retryAfterMs, backoffMs) * CLIENT_JITTER;
    const again = {
      retries: isOver ? 0 : retries + 1,
      wantedAt,
      isPlain: false,
    };
    clock.at(clock.now + pauseMs, () => this.#make(walk, request, again));
  }

  /** The client shows the reset and continues by itself then. */
  #limited(
    walk: Walk,
    request: PlannedRequest,
    { wantedAt }: Again,
    backAt: number,
  ): void {
    const { clock } = this.#world;
    const at = Math.max(clock.now, backAt) +
      this.#random.uniform(...CLIENT_RETURN_MS);
    clock.at(at, () => this.#make(walk, request, { ...FIRST, wantedAt }));
  }

  score(): Score {
    const { tally, workload, accounts } = this.#world;
    let total = 0;
    for (const worth of this.#worths.values()) total += worth.tokens;
    const spent = tally.burnt;
    return {
      usefulTokens: tally.useful,
      paidTokens: tally.paid,
      burntTokens: spent,
      rebuildShare: spent === 0 ? 0 : tally.rebuilt / spent,
      requests: tally.requests,
      sessions: workload.sessions.length,
      stalledHours: tally.stalledMs / HOUR_MS,
      longWaits: tally.longWaits,
      longestHours: tally.longestMs / HOUR_MS,
      limitAnswers: tally.limitAnswers,
      movedTokens: tally.moved,
      expiredTokens: tally.lapsed,
      refusals: tally.refusals,
      throttles: tally.throttles,
      overloads: tally.overloads,
      sends: tally.sends,
      clientErrors: tally.clientErrors,
      switchesPerSession: tally.switches /
        Math.max(1, workload.sessions.length),
      strandedTokens: this.#stranded(),
      dollars: tally.paid * DOLLARS_PER_TOKEN,
      hoursToHalf: tally.hoursTo(0.5, total),
      hoursToNinety: tally.hoursTo(0.9, total),
      accounts: [...accounts.values()].map((account) => ({
        name: account.plan.name,
        requests: account.requests,
        refusals: account.refusals,
        burntTokens: account.burnt,
      })),
    };
  }

  /**
   * Returns the quota that expired at a weekly reset while work was left for
   * it.
   */
  #stranded(): number {
    const { tally, workload, accounts } = this.#world;
    const expired = [...accounts.values()].flatMap((a) => a.expired)
      .sort((a, b) => a.at - b.at);
    let taken = 0;
    for (const { at, tokens } of expired) {
      let released = 0;
      for (const worth of this.#worths.values()) {
        if (worth.releasedAt <= at) released += worth.tokens;
      }
      const hours = Math.floor((at - workload.startsAt) / HOUR_MS);
      let served = 0;
      for (let hour = 0; hour <= hours; hour++) {
        served += tally.byHour[hour] ?? 0;
      }
      const left = Math.max(0, released - served - taken);
      taken += Math.min(tokens, left);
    }
    return taken;
  }
}
