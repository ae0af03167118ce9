/**
 * The questions that the Deck asks before it changes anything. Each says what
 * will happen and waits for y or n.
 *
 * @module
 */

import { stateText } from "../../control/state_text.ts";
import type { AccountView } from "../../control/protocol.ts";
import { POLICY_NAMES } from "../../core/policy/policy.ts";
import { plural } from "../figures.ts";
import type { Choice, Effect, Model, Note, Overlay } from "../model.ts";
import { sceneOf } from "../scene.ts";

type Confirm = Omit<Overlay & { readonly kind: "confirm" }, "kind">;

const NOTE_MS = 6_000;

/** Stands for "no account" in the list of pins. */
const NO_PIN = "";

function withConfirm(model: Model, confirm: Confirm): Model {
  return { ...model, overlay: { kind: "confirm", ...confirm } };
}

function said(model: Model, text: string, style: Note["style"]): Model {
  const until = model.now + NOTE_MS;
  return { ...model, overlay: null, note: { text, style, until } };
}

function accountOf(model: Model, label: string): AccountView | null {
  return model.status?.accounts.find((view) => view.label === label) ?? null;
}

/** Opens a list of accounts with the pinned one marked. */
export function chooseAccount(
  model: Model,
  what: "pin" | "remove" | "accounts",
): Model {
  const pin = model.status?.server.pin ?? null;
  const accounts = (model.status?.accounts ?? []).map((view): Choice => ({
    id: view.label,
    label: view.label === pin ? `${view.label} (pinned)` : view.label,
    note: stateText(view, { now: model.now }),
  }));
  const none: readonly Choice[] = what === "pin" && pin !== null
    ? [{ id: NO_PIN, label: "no pin", note: "back to the policy's choice" }]
    : [];
  if (what !== "accounts" && accounts.length === 0) {
    return said(model, "There are no accounts yet: press a", "info");
  }
  const title = what === "pin"
    ? "Pin an account"
    : what === "remove"
    ? "Remove an account"
    : "Accounts";
  const choices = [...none, ...accounts];
  return { ...model, overlay: { kind: "choose", what, title, choices, at: 0 } };
}

const POLICY_NOTES: Readonly<Record<string, string>> = {
  price: "where the work costs the pool the least later on",
  pace: "to the weekly line, as teamclaude does",
  balance: "most quota left for the time to its reset",
  "cache-first": "stay on one account until it is empty",
  "least-used": "the account that is used least",
  scored: "chosen once a session: most left of both windows",
};

export function choosePolicy(model: Model): Model {
  const now = model.status?.server.policy ?? null;
  const choices = POLICY_NAMES.map((name): Choice => ({
    id: name,
    label: name === now ? `${name} (now)` : name,
    note: POLICY_NOTES[name] ?? "",
  }));
  const at = Math.max(0, choices.findIndex(({ id }) => id === now));
  const title = "Policy";
  return {
    ...model,
    overlay: { kind: "choose", what: "policy", title, choices, at },
  };
}

export function askPolicy(model: Model, policy: string): Model {
  return withConfirm(model, {
    title: `Policy ${policy}`,
    lines: [
      `New and returning work is placed by ${policy} from the next request on.`,
      "It holds until the server ends; the next start reads the config again.",
    ],
    yes: "switch",
    no: "keep",
    effect: { kind: "policy", policy },
  });
}

export function askPin(model: Model, label: string): Model {
  const pin = model.status?.server.pin ?? null;
  if (label === NO_PIN || label === pin) {
    return withConfirm(model, {
      title: "Remove the pin",
      lines: ["The policy chooses again from the next request on."],
      yes: "take it off",
      no: "keep",
      effect: { kind: "pin", account: null },
    });
  }
  return withConfirm(model, {
    title: `Pin ${label}`,
    lines: [
      `All work goes to ${label} at its next request and stays there.`,
      "While it is spent the work spills over, and comes back after its reset.",
    ],
    yes: "pin",
    no: "leave",
    effect: { kind: "pin", account: label },
  });
}

/** Asks whether an account comes before or after others. */
export function askPriority(model: Model, label: string, by: 1 | -1): Model {
  const view = accountOf(model, label);
  if (view === null) return said(model, `${label} is gone`, "info");
  const priority = view.priority + by;
  return withConfirm(model, {
    title: `Priority of ${label}: ${priority}`,
    lines: [
      `It is ${view.priority} now. Of accounts that may serve, those with the highest priority are used first.`,
    ],
    yes: "set",
    no: "keep",
    effect: { kind: "priority", account: label, priority },
  });
}

/** Asks whether the last change is taken back. */
export function askUndo(model: Model): Model {
  if (model.undo === null) {
    return said(model, "There is no change of this screen to undo", "info");
  }
  const { text, effect } = model.undo;
  return withConfirm(model, {
    title: "Undo",
    lines: [text],
    yes: "undo",
    no: "keep",
    effect,
  });
}

/** Refused while the account serves requests. */
export function askRemove(model: Model, label: string): Model {
  const view = accountOf(model, label);
  if (view === null) return said(model, `${label} is gone`, "info");
  if (view.inFlight > 0) {
    return said(
      model,
      `${label} serves ${
        plural(view.inFlight, "request")
      }: remove it when it is idle, or turn it off`,
      "careful",
    );
  }
  const bound = sceneOf(model).agents
    .filter(({ account }) => account === label).length;
  return withConfirm(model, {
    title: `Remove account ${label}`,
    lines: [
      "This deletes its credential from the vault.",
      ...(bound === 0 ? [] : [
        `${plural(bound, "session")} bound to it ${
          bound === 1 ? "moves" : "move"
        } at the next request.`,
      ]),
      "Usage history stays.",
    ],
    yes: "remove",
    no: "keep",
    effect: { kind: "remove", account: label },
  });
}

export function askToggle(model: Model, label: string): Model {
  const view = accountOf(model, label);
  if (view === null) return said(model, `${label} is gone`, "info");
  const isOn = !view.enabled;
  return withConfirm(model, {
    title: isOn ? `Turn ${label} on` : `Turn ${label} off`,
    lines: isOn ? ["It takes new requests again."] : [
      "No new requests; running ones finish.",
      "Its credential stays in the vault.",
    ],
    yes: isOn ? "turn on" : "turn off",
    no: "leave",
    effect: { kind: "enable", account: label, isOn },
  });
}

export function askName(model: Model, label: string): Model {
  return {
    ...model,
    overlay: {
      kind: "write",
      title: `Rename ${label}`,
      lines: [
        "The new name is shown everywhere; sessions stay where they are.",
      ],
      text: label,
      account: label,
    },
  };
}

/** Hands the terminal to another command of tc. */
export function askHandOver(
  model: Model,
  what: { readonly title: string; readonly lines: readonly string[] },
  args: readonly string[],
): Model {
  return withConfirm(model, {
    ...what,
    yes: "go on",
    no: "back",
    effect: { kind: "hand_over", args },
  });
}

/** Leaves at once if that harms nothing. */
export function askQuit(
  model: Model,
  by: "key" | "interrupt" = "key",
): readonly [model: Model, effects: readonly Effect[]] {
  if (!model.isServer) return [model, [{ kind: "end", how: "detached" }]];
  const running = model.status?.requests.length ?? 0;
  const effect: Effect = { kind: "end", how: "quit" };
  // Ctrl-C means it; a key may be pressed by mistake.
  if (running === 0 && by === "interrupt") return [model, [effect]];
  return [
    withConfirm(model, {
      title: "Stop the server",
      lines: [
        running === 0
          ? "Sessions that use it cannot go on until it runs again."
          : `${plural(running, "request")} in hand ${
            running === 1 ? "ends" : "end"
          } first; no new one is taken.`,
      ],
      yes: "stop",
      no: "stay",
      effect,
    }),
    [],
  ];
}
