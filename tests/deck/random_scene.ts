/** Random pools, fleets and keys for tests of the Deck, from a seed. */

import type { LocalSession } from "../../src/claude/sessions/sessions.ts";
import type {
  AccountWord,
  RequestView,
  StatusView,
} from "../../src/control/protocol.ts";
import type { Key, KeyName } from "../../src/deck/terminal/keys.ts";
import type { Message } from "../../src/deck/model.ts";
import {
  account,
  ended,
  NOW,
  pinned,
  poolStatus,
  request,
  session,
  time,
  usage,
  window,
} from "./scene.ts";

/** A small generator (mulberry32): the same seed draws the same day. */
export class Draw {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  below(limit: number): number {
    return Math.floor(this.unit() * limit);
  }

  from<Item>(items: readonly [Item, ...Item[]]): Item {
    return items[this.below(items.length)] ?? items[0];
  }
}

/** Names that a screen must survive: wide, joined, marked, hostile. */
export const NAMES = [
  "work",
  "ada@home.example",
  "日本語の名前",
  "🦊 fox",
  "👨‍👩‍👧 family",
  "e\u0301te\u0301",
  "🛠️ tools",
  "\u001b]0;owned\u0007title",
  "\u001b[2J\u001b[31mred",
  "line\nbreak\ttab",
  "\u202Eright-to-left",
  "",
  "x".repeat(200),
  "🏳️‍🌈🏳️‍🌈🏳️‍🌈",
  "a\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309",
] as const;

const WORDS: readonly [AccountWord, ...AccountWord[]] = [
  "ready",
  "careful",
  "closed",
  "unknown",
  "off",
  "reserve",
  "needs_login",
  "quarantined",
];

const STATES: readonly [RequestView["state"], ...RequestView["state"][]] = [
  "waiting",
  "held",
  "sent",
  "streaming",
];

const STATUSES = [
  "in_progress",
  "blocked",
  "in_review",
  "todo",
  "backlog",
  "done",
  "a status nobody knows",
] as const;

const KEYS = [..."jkgGsarRpei/b?lntdyn q x"] as const;

const NAMED: readonly [KeyName, ...KeyName[]] = [
  "up",
  "down",
  "tab",
  "back_tab",
  "enter",
  "escape",
  "page_down",
  "page_up",
  "home",
  "end",
  "backspace",
];

function accounts(draw: Draw): StatusView["accounts"] {
  return Array.from(
    { length: draw.below(7) },
    (_, index) =>
      account(`${draw.from(NAMES)}${index}`, {
        word: draw.from(WORDS),
        reason: draw.below(2) === 0 ? null : draw.from(NAMES),
        until: draw.below(2) === 0 ? null : time(NOW + draw.below(9_000_000)),
        mend: draw.below(4) === 0 ? "tc login --account x" : null,
        enabled: draw.below(5) > 0,
        windows: ["5h", "7d", "7d_oi"].slice(0, draw.below(4)).map((key) =>
          window(key, draw.below(6) === 0 ? null : draw.unit() * 1.1, 900_000, {
            observedAt: time(NOW - draw.below(600_000)),
          })
        ),
        inFlight: draw.below(3),
        inFlightMax: draw.below(3) === 0 ? null : 6,
        recent: {
          requests15m: draw.below(9),
          requests1h: draw.below(40),
          hitRate1h: null,
          tokens1h: 0,
        },
        usage: usage({ hitShare: draw.below(3) === 0 ? null : draw.unit() }),
      }),
  );
}

/** A fleet whose pins point anywhere. */
export function randomLocal(draw: Draw): readonly LocalSession[] {
  return Array.from({ length: draw.below(14) }, (_, index) => {
    const parent = draw.below(3) === 0 ? null : `D-${draw.below(8)}`;
    return pinned(`D-${draw.below(8)}`, parent, {
      sessionId: `s-${index}`,
      emoji: draw.from(["🦊", "🛠️", "👨‍👩‍👧", "☂️"]),
      title: draw.from(NAMES),
      status: draw.from(STATUSES),
      ...(draw.below(4) === 0 ? { tool: true } : {}),
    });
  });
}

export function randomStatus(draw: Draw): StatusView {
  const views = accounts(draw);
  const label = () =>
    draw.below(4) === 0 ? null : views[draw.below(views.length)]?.label ?? null;
  return poolStatus({
    accounts: views,
    sessions: Array.from(
      { length: draw.below(14) },
      (_, index) =>
        session(`s-${index}`, {
          account: label(),
          usage: usage({
            output: draw.below(2_000_000),
            cost: draw.unit() * 9,
          }),
          lastUsedAt: time(NOW - draw.below(900_000)),
        }),
    ),
    requests: Array.from(
      { length: draw.below(5) },
      (_, index) =>
        request(`r-${index}`, {
          session: `s-${draw.below(16)}`,
          account: label(),
          state: draw.from(STATES),
          reason: draw.from(NAMES),
          agent: draw.below(3) === 0 ? "a1" : null,
        }),
    ),
    activity: Array.from(
      { length: draw.below(30) },
      (_, index) =>
        ended(`e-${index}`, {
          session: `s-${draw.below(16)}`,
          account: label(),
          status: draw.from([200, 200, 429, 529, 401]),
          movedFrom: draw.below(5) === 0 ? draw.from(NAMES) : null,
          cacheWrite: draw.below(200_000),
          reason: draw.from(NAMES),
        }),
    ),
  });
}

export function randomKey(draw: Draw): Key {
  return draw.below(3) === 0
    ? { kind: "named", name: draw.from(NAMED) }
    : { kind: "char", text: KEYS[draw.below(KEYS.length)] ?? "j" };
}

/** Any message that the program may get. */
export function randomMessage(draw: Draw, now: number): Message {
  const pick = draw.below(20);
  if (pick < 11) return { kind: "key", key: randomKey(draw) };
  if (pick < 13) return { kind: "status", status: randomStatus(draw) };
  if (pick < 14) return { kind: "local", local: randomLocal(draw) };
  if (pick < 15) {
    const columns = 20 + draw.below(160);
    return { kind: "resized", size: { columns, rows: 4 + draw.below(50) } };
  }
  if (pick < 16) return { kind: "lost", reason: draw.from(NAMES) };
  if (pick < 17) return { kind: "done", text: draw.from(NAMES), undo: null };
  if (pick < 18) {
    const lines = [draw.from(NAMES), draw.from(NAMES)];
    return { kind: "explained", title: draw.from(NAMES), lines };
  }
  return { kind: "ticked", now };
}
