/**
 * The life of one request: receive it, choose an account, try it, judge its
 * answer, and relay that or go round again. Nothing is sent to the client
 * before the verdict; after the first byte there is no second try.
 *
 * @module
 */

import { stackOf } from "../errors.ts";
import type { IncomingRequest } from "../http/request.ts";
import type { ClientAnswer } from "../http/response.ts";
import { acquire, decide, firstWish } from "./acquire.ts";
import { type Outcome, outcomeOf, tryOnce } from "./attempt.ts";
import { heldAnswer } from "./held.ts";
import { Tries } from "./next.ts";
import type { Proxy } from "./proxy.ts";
import { receive } from "./receive.ts";
import { relayed } from "./relay.ts";
import { type Choice, RequestScope } from "./request_scope.ts";
import { faultAnswer, ownAnswer } from "./respond.ts";

/** The most tries of one request, whatever the verdicts are. */
const TRIES_MAX = 24;

/** Returns the answer to a request that the door admitted. Never rejects. */
export function serveRequest(
  incoming: IncomingRequest,
  target: string,
  proxy: Proxy,
): Promise<ClientAnswer> {
  return new Promise((respond) => {
    serve(incoming, target, { proxy, respond }).catch((cause) => {
      // One request that cannot be recorded must not end all the others.
      proxy.journal.log("error", "fault", { fault: stackOf(cause) });
      respond(faultAnswer());
    });
  });
}

/** Serves one request to its end; the first call of `respond` is its answer. */
async function serve(
  incoming: IncomingRequest,
  target: string,
  { proxy, respond }: {
    readonly proxy: Proxy;
    readonly respond: (answer: ClientAnswer) => void;
  },
): Promise<void> {
  await using scope = new RequestScope(proxy);
  const refused = await receive(incoming, target, scope);
  if (refused !== null) return respond(refused);
  try {
    const pursuit = pursue(scope);
    const { opened } = scope;
    const outcome = opened === null
      ? await pursuit
      : await Promise.race([pursuit, opened]);
    respond(
      outcome === undefined
        ? heldAnswer(scope, pursuit)
        : answerTo(scope, outcome),
    );
    await pursuit;
  } catch (cause) {
    scope.fail(cause);
    // Nobody reads it if the client has left.
    respond(faultAnswer());
  }
}

function answerTo(scope: RequestScope, outcome: Outcome): ClientAnswer {
  return outcome.kind === "relay"
    ? relayed(scope, outcome)
    : ownAnswer(scope, outcome);
}

/** Returns what the tries come to. Throws the signal's reason. */
async function pursue(scope: RequestScope): Promise<Outcome> {
  const { inbound } = scope;
  // Instead of waiting, a client can send its thread whole to any account.
  const isThread = inbound.peek.thread === "continue";
  let wish = firstWish(!isThread);
  let tries: Tries | null = null;
  try {
    for (let count = 1;; count++) {
      const acquired = await acquire(scope, wish);
      if (acquired.kind === "closed") {
        const { decision } = acquired;
        return tries?.takeFallback() ??
          (isThread ? { kind: "thread" } : { kind: "closed", decision });
      }
      const { choice } = acquired;
      if (leavesItsThread(scope, choice)) return { kind: "thread" };
      tries?.dropFallback();

      const attempt = await tryOnce(scope, choice.accountId);
      if (attempt.verdict.kind === "served") return outcomeOf(attempt, choice);
      // What has come in of an upload is gone: no other account can be asked.
      if (inbound.upload?.isBegun === true) return outcomeOf(attempt, choice);

      tries ??= new Tries(scope);
      const step = tries.stepAfter(attempt);
      if (step.kind === "relay" || step.kind === "give_up") {
        return outcomeOf(attempt, choice);
      }
      scope.closeLease();
      tries.keep(attempt, choice, step);
      if (count === TRIES_MAX) {
        const decision = decide(scope, wish);
        return tries.takeFallback() ?? { kind: "closed", decision };
      }
      wish = await tries.wishAfter(attempt, step);
    }
  } finally {
    tries?.dropFallback();
  }
}

/** Whether the request would leave the account that holds its thread. */
function leavesItsThread(
  { inbound: { peek, owner } }: RequestScope,
  { reason, accountId }: Choice,
): boolean {
  return peek.thread === "continue" && reason !== "bound" &&
    accountId !== owner;
}
