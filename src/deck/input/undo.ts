/**
 * What takes a change back: the change to the value that held before it.
 *
 * @module
 */

import type { StatusView } from "../../control/protocol.ts";
import type { Effect, Undo } from "../model.ts";

/** Returns what undoes `effect`, asked before it runs; null if nothing does. */
export function undoOf(effect: Effect, status: StatusView | null): Undo | null {
  if (status === null) return null;
  const { pin, policy } = status.server;
  switch (effect.kind) {
    case "pin":
      return {
        effect: { kind: "pin", account: pin },
        text: pin === null
          ? "The pin is taken off: the policy chooses again."
          : `All work is pinned to ${pin} again.`,
      };
    case "policy":
      return {
        effect: { kind: "policy", policy },
        text: `The policy is ${policy} again.`,
      };
    case "enable": {
      const { account, isOn } = effect;
      return {
        effect: { kind: "enable", account, isOn: !isOn },
        text: `${account} is turned ${isOn ? "off" : "on"} again.`,
      };
    }
    case "rename": {
      const { account, label } = effect;
      return {
        effect: { kind: "rename", account: label, label: account },
        text: `${label} is called ${account} again.`,
      };
    }
    case "priority": {
      const { account } = effect;
      const view = status.accounts.find(({ label }) => label === account);
      if (view === undefined) return null;
      return {
        effect: { kind: "priority", account, priority: view.priority },
        text: `${account} has priority ${view.priority} again.`,
      };
    }
    default:
      return null;
  }
}
