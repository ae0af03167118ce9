/**
 * Carries out what the Deck asks of the server, and says how it ended.
 *
 * @module
 */

import type { ControlClient } from "../control/client.ts";
import { CONTROL } from "../control/protocol.ts";
import { reasonOf, TcError } from "../errors.ts";
import type { Effect, Message } from "./model.ts";

/** The effects that the server carries out. */
export type ServerEffect = Effect & {
  readonly kind: "pin" | "policy" | "reload" | "rename" | "enable" | "remove";
};

/** Runs `effect`; never throws: a failure is a message too. */
export async function runServerEffect(
  effect: ServerEffect,
  client: ControlClient,
): Promise<Message> {
  try {
    return { kind: "done", text: await run(effect, client) };
  } catch (cause) {
    return failed(cause);
  }
}

/** What went wrong, as a message. */
export function failed(cause: unknown): Message {
  const text = reasonOf(cause);
  const hint = cause instanceof TcError ? cause.hint : null;
  return { kind: "failed", text, hint };
}

async function run(
  effect: ServerEffect,
  client: ControlClient,
): Promise<string> {
  switch (effect.kind) {
    case "pin": {
      const { account } = effect;
      await client.send("PUT", CONTROL.pin, { account });
      return account === null ? "The pin is off" : `Pinned to ${account}`;
    }
    case "policy": {
      const { policy } = effect;
      await client.send("PUT", CONTROL.policy, { policy });
      return `The policy is ${policy} now`;
    }
    case "reload":
      return reloadText(await client.send("POST", CONTROL.reload, {}));
    case "rename": {
      const { account, label } = effect;
      await client.send("PATCH", one(account), { name: label });
      return `${account} is called ${label} now`;
    }
    case "enable": {
      const { account, isOn } = effect;
      await client.send("PATCH", one(account), { enabled: isOn });
      return `${account} is ${isOn ? "on" : "off"}`;
    }
    case "remove":
      await client.send("DELETE", one(effect.account), {});
      return `${effect.account} is removed`;
  }
}

function one(account: string): string {
  return `${CONTROL.accounts}/${encodeURIComponent(account)}`;
}

function reloadText(answer: unknown): string {
  const { changes } = (answer ?? {}) as { readonly changes?: unknown };
  const list = Array.isArray(changes) ? changes.map(String) : [];
  return list.length === 0
    ? "Read again: nothing changed"
    : `Read again: ${list.join("; ")}`;
}
