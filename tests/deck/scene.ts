/** Agents, accounts and requests for tests of the Deck; all names invented. */

import type { CurvesView } from "../../src/control/protocol.ts";
import type { LocalSession } from "../../src/claude/sessions/sessions.ts";
import type {
  AccountView,
  ActivityView,
  RequestView,
  SessionView,
  StatusView,
  TimeView,
  UsageView,
  WindowView,
} from "../../src/control/protocol.ts";

/** 2026-11-21T12:31:21Z, as on the drawn screens. */
export const NOW = Date.UTC(2026, 10, 21, 12, 31, 21);

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export function time(ms: number): TimeView {
  return { iso: new Date(ms).toISOString(), ms };
}

export function usage(change: Partial<UsageView> = {}): UsageView {
  return {
    requests: 0,
    input: 0,
    cacheRead: 0,
    cacheWrite: 0,
    output: 0,
    rebuilds: 0,
    hitShare: null,
    cost: null,
    paid: null,
    worth: change.cost ?? null,
    ...change,
  };
}

export function session(
  id: string,
  change: Partial<SessionView> = {},
): SessionView {
  return {
    id,
    account: null,
    usage: usage(),
    inFlight: 0,
    policy: null,
    project: null,
    firstSeenAt: time(NOW - HOUR),
    lastUsedAt: time(NOW - 10_000),
    lastError: null,
    ...change,
  };
}

export function local(
  sessionId: string,
  change: Partial<LocalSession> = {},
): LocalSession {
  return {
    sessionId,
    emoji: null,
    intent: null,
    name: null,
    issue: null,
    pin: null,
    isToolRunning: false,
    lastTurnAt: NOW - 20_000,
    ...change,
  };
}

/** A session pinned to issue `name` under `parent`. */
export function pinned(
  name: string,
  parent: string | null,
  change: {
    readonly emoji?: string;
    readonly title?: string;
    readonly status?: string;
    readonly tool?: true;
    readonly sessionId?: string;
    readonly assignee?: string;
  } = {},
): LocalSession {
  return local(change.sessionId ?? `s-${name}`, {
    emoji: change.emoji ?? null,
    issue: name,
    isToolRunning: change.tool ?? false,
    pin: {
      identifier: name,
      issueId: `i-${name}`,
      parentId: parent === null ? null : `i-${parent}`,
      title: change.title ?? null,
      status: change.status ?? "in_progress",
      assigneeUserId: change.assignee ?? null,
    },
  });
}

export function window(
  key: string,
  utilization: number | null,
  resetsInMs: number,
  change: Partial<WindowView> = {},
): WindowView {
  const lengthMs = key === "5h" ? 5 * HOUR : 7 * DAY;
  const elapsed = 1 - resetsInMs / lengthMs;
  return {
    key,
    utilization,
    status: "allowed",
    resetsAt: time(NOW + resetsInMs),
    observedAt: time(NOW - 5_000),
    source: "response_headers",
    family: null,
    pace: utilization === null ? null : utilization - elapsed,
    spentAt: null,
    spentBetween: null,
    ...change,
  };
}

export function account(
  label: string,
  change: Partial<AccountView> = {},
): AccountView {
  return {
    id: label,
    label,
    kind: "subscription",
    tier: "max_5x",
    priority: 0,
    enabled: true,
    signInEndsAt: null,
    state: "ready",
    word: "ready",
    reason: null,
    until: null,
    mend: null,
    windows: [],
    inFlight: 0,
    inFlightMax: 6,
    conversations: 0,
    lastUsedAt: null,
    usage: usage(),
    paying: null,
    limit: null,
    learnedLimits: [],
    refusals: [],
    recent: RECENT,
    lastError: null,
    ...change,
  };
}

const RECENT = {
  requests15m: 0,
  requests1h: 0,
  hitRate1h: null,
  tokens1h: 0,
};

export function request(
  id: string,
  change: Partial<RequestView> = {},
): RequestView {
  return {
    id,
    session: null,
    agent: null,
    model: "claude-opus-5-5",
    project: null,
    account: null,
    state: "streaming",
    reason: null,
    since: time(NOW - 14_000),
    input: null,
    cacheRead: null,
    cacheWrite: null,
    ...change,
  };
}

export function ended(
  id: string,
  change: Partial<ActivityView> = {},
): ActivityView {
  return {
    id,
    at: time(NOW - 19_000),
    session: null,
    agent: null,
    model: "claude-opus-5-5",
    project: null,
    account: "work",
    status: 200,
    durationMs: 8_400,
    firstByteMs: 900,
    input: 2_000,
    cacheRead: 96_000,
    cacheWrite: 0,
    output: 1_200,
    reason: "warm",
    movedFrom: null,
    movedWhy: null,
    why: null,
    attempts: 1,
    triedFirst: [],
    end: "complete",
    ...change,
  };
}

/** Tokens as the seed's example has them, in thousands. */
const TREE: readonly (readonly [
  name: string,
  parent: string | null,
  thousands: number,
  session: Partial<SessionView>,
  change: Parameters<typeof pinned>[2],
])[] = [
  ["D-101", null, 10, { account: "work" }, {
    emoji: "🦊",
    title: "Head of Ops: plan the migration",
    tool: true,
  }],
  ["D-102", "D-101", 5, { account: "work" }, {
    emoji: "🐙",
    title: "split the schema work",
  }],
  ["D-104", "D-102", 20, { account: "work" }, {
    emoji: "🦀",
    title: "write the migration tests",
    tool: true,
  }],
  ["D-105", "D-102", 8, {
    account: "work",
    lastUsedAt: time(NOW - 10 * MINUTE),
  }, { emoji: "🐢", title: "describe the rollback", status: "in_review" }],
  ["D-103", "D-101", 3, { account: "home" }, {
    emoji: "🦉",
    title: "collect the open questions",
    status: "todo",
  }],
  ["D-106", "D-103", 12, {
    account: "home",
    lastUsedAt: time(NOW - 12 * MINUTE),
  }, { emoji: "🐝", title: "ask for the store key", status: "blocked" }],
];

/** The seed's example: 58k / 33k / 15k, levels 1·10k, 2·8k, 3·40k. */
export function seedTree(): {
  readonly local: readonly LocalSession[];
  readonly sessions: readonly SessionView[];
} {
  return {
    local: TREE.map(([name, parent, , , change]) =>
      pinned(name, parent, change)
    ),
    sessions: TREE.map(([name, , thousands, change]) =>
      session(`s-${name}`, {
        usage: usage({
          requests: 4,
          input: thousands * 900,
          output: thousands * 100,
          cost: thousands / 100,
        }),
        ...change,
      })
    ),
  };
}

function solo(): {
  readonly local: readonly LocalSession[];
  readonly sessions: readonly SessionView[];
} {
  return {
    local: [
      local("s-solo-1", {
        emoji: "🐞",
        intent: "solo: tidy the changelog",
        name: "changelog",
      }),
    ],
    sessions: [
      session("s-solo-1", {
        account: "work",
        usage: usage({ input: 1_500, output: 400, cost: 0.02 }),
      }),
      session("7f3a9c21-0000-4000-8000-000000000000", {
        account: "home",
        usage: usage({ input: 800, output: 100 }),
      }),
    ],
  };
}

function accounts(): readonly AccountView[] {
  return [
    account("work", {
      tier: "max_20x",
      windows: [
        window("5h", 0.64, 41 * MINUTE),
        window("7d", 0.37, 3 * DAY + 4 * HOUR),
      ],
      inFlight: 2,
      usage: usage({ hitShare: 0.94, input: 80_000, output: 9_000 }),
      recent: { ...RECENT, requests1h: 60 },
    }),
    account("home", {
      state: "limited",
      word: "careful",
      reason: null,
      windows: [
        window("5h", 0.93, 18 * MINUTE, { pace: 0.06 }),
        window("7d", 0.62, DAY + 2 * HOUR, {
          pace: 0.01,
          observedAt: time(NOW - 3 * MINUTE),
        }),
      ],
      inFlight: 1,
      inFlightMax: 1,
      usage: usage({ hitShare: 0.91, input: 40_000, output: 2_000 }),
    }),
    account("spare", {
      tier: "pro",
      state: "spent",
      word: "closed",
      reason: "5h",
      until: time(NOW + 53 * MINUTE),
      windows: [
        window("5h", 1, 53 * MINUTE),
        window("7d", 0.45, 2 * DAY),
      ],
      recent: { ...RECENT, requests1h: 3 },
      lastError: { at: time(NOW - 41_000), status: 429, text: "exhausted" },
    }),
    account("new", {
      state: "unknown",
      word: "unknown",
      reason: "no figures yet: the first answer brings them",
    }),
    account("key-1", {
      kind: "api_key",
      tier: "unknown",
      state: "reserve",
      word: "reserve",
      reason: "paid by token",
      inFlightMax: null,
    }),
  ];
}

/** The pool of the drawn screens. */
export function poolStatus(change: Partial<StatusView> = {}): StatusView {
  const tree = seedTree();
  return {
    schema: "tc.status/v1",
    at: time(NOW),
    server: {
      version: "1.0.0",
      pid: 4711,
      host: "127.0.0.1",
      port: 3456,
      startedAt: time(NOW - 3 * HOUR),
      policy: "price",
      pin: null,
      state: "serving",
      vault: "encrypted file",
      newer: null,
    },
    paidLimit: null,
    verdict: {
      color: "green",
      kind: "open",
      account: null,
      window: null,
      until: null,
    },
    capacity: {
      schema: "tc.capacity/v1",
      verdict: "green",
      headroom: 9,
      liveAccounts: 3,
      benched: 1,
      total: 5,
      warmSessions: 4,
      soonestResetSec: 0,
      accounts: [],
      at: new Date(NOW).toISOString(),
    },
    nextReset: { at: time(NOW + 41 * MINUTE), account: "work", window: "5h" },
    forecast: {
      tokensPerHour: 400_000,
      lastsUntil: time(NOW + 5 * DAY + 5.5 * HOUR),
      lastsBetween: null,
      isGuess: false,
      usual: null,
    },
    usage: usage({
      requests: 260,
      input: 1_700_000,
      output: 240_000,
      cacheRead: 24_000_000,
      cacheWrite: 300_000,
      hitShare: 0.93,
      cost: 14.2,
    }),
    accounts: accounts(),
    sessions: [...tree.sessions, ...solo().sessions],
    requests: [
      request("r1", {
        session: "s-D-104",
        account: "work",
        input: 2_100,
        cacheRead: 96_000,
        cacheWrite: 820,
      }),
      request("r2", {
        session: "s-D-102",
        account: "work",
        state: "waiting",
        reason: "warm_account",
        since: time(NOW - 3_000),
      }),
      request("r3", {
        session: "s-D-105",
        state: "held",
        reason: "closed",
        since: time(NOW - 41_000),
      }),
    ],
    activity: [
      ended("e1", { session: "s-D-101" }),
      ended("e2", {
        at: time(NOW - 41_000),
        session: "s-D-103",
        account: "home",
        durationMs: 5_100,
        cacheRead: 0,
        input: 1_000,
        cacheWrite: 20_000,
        output: 640,
        reason: "spent",
        movedFrom: "spare",
        movedWhy: "5h used up",
        attempts: 2,
      }),
      ended("e3", {
        at: time(NOW - 50_000),
        session: "s-D-103",
        account: null,
        status: 429,
        durationMs: 400,
        input: null,
        cacheRead: null,
        cacheWrite: null,
        output: null,
        reason: "none_usable",
        end: "refused",
      }),
    ],
    machines: [],
    notices: [],
    ...change,
  };
}

export function fleet(): readonly LocalSession[] {
  return [...seedTree().local, ...solo().local];
}

/** Five hours of the pool of the drawn screens, minute by minute. */
export function poolCurves(): CurvesView {
  const steps = Array.from({ length: 300 }, (_, index) => index);
  const rise = (to: number) => steps.map((step) => to * (step + 1) / 300);
  return {
    schema: "tc.curves/v1",
    at: time(NOW),
    stepMs: MINUTE,
    tokens: steps.map((step) => 900 * (1 + Math.sin(step / 24)) + step),
    hits: steps.map((step) => step < 40 ? null : 0.9 - (step % 70) / 200),
    windows: [
      { account: "work", key: "5h", used: rise(0.64) },
      { account: "work", key: "7d", used: rise(0.37) },
      { account: "home", key: "5h", used: rise(0.93) },
      { account: "home", key: "7d", used: rise(0.62) },
    ],
  };
}
