/**
 * Answers, usage and quota are booked to the account that gave them, while
 * tokens are renewed, accounts go and come, and connections are used again (R8).
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { account } from "../fixtures/pool.ts";
import { DemoPlane, inParallel, numbered } from "../fixtures/demo_plane.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { report } from "../fixtures/report.ts";
import { trials } from "../fixtures/trials.ts";

const EIGHT = ["a", "b", "c", "d", "e", "f", "g", "h"];
const CLIENTS = 64;

/** What of its five-hour window each account has used: tells them apart. */
function usedAtFirst(index: number): number {
  return 0.1 + 0.1 * index;
}

/** Every so many requests a token expires, an account goes, or it comes back. */
const DISTURB_EVERY = 20;

/** What the request with this number finds disturbed. */
function disturb({ api, kit }: DemoPlane, index: number): void {
  if (index % DISTURB_EVERY !== 0) return;
  const round = Math.floor(index / DISTURB_EVERY);
  const name = EIGHT[Math.floor(round / 3) % EIGHT.length] ?? "a";
  if (round % 3 === 0) return void api.account(name).expire();
  kit.keeper.dispatch({
    kind: "account_put",
    account: account(name, { enabled: round % 3 === 2 }),
    at: realClock.now(),
  });
}

Deno.test("everything is booked to the account that served it", async () => {
  const count = trials(2_000, 20_000);
  await using plane = await DemoPlane.open({
    accounts: EIGHT,
    isUnlimited: true,
    api: { requestsMax: 2 * count },
    kit: { settings: { parking: 0, concurrencyStart: 32 } },
  });
  for (const [index, name] of EIGHT.entries()) {
    plane.api.account(name).windows({ "5h": usedAtFirst(index) });
  }
  const asks = numbered(count, (index) => ({
    session: `s${index}`,
    nonce: `${index}`,
    text: `demo:tokens ${1 + index % 50}`,
    isStream: index % 2 === 0,
  }));
  const answers = await inParallel(asks, CLIENTS, (ask, index) => {
    disturb(plane, index);
    return plane.ask(ask);
  });
  deepStrictEqual(answers.filter(({ status }) => status !== 200), []);
  await plane.kit.isEmpty();

  const wrong = misbooked(plane);
  report(
    `${count} requests of ${CLIENTS} clients on 8 accounts, ` +
      `${plane.kit.credentials.renewals} renewals: ` +
      `${wrong.length} booked wrongly`,
  );
  deepStrictEqual(wrong, []);
  plane.assertSentOnce();
  ok(plane.kit.credentials.renewals >= 8, "too few renewals to show anything");
  quotaIsOwn(plane);
});

/** Sessions of which the books and the provider tell different things. */
function misbooked(plane: DemoPlane): readonly string[] {
  const wrong: string[] = [];
  const truth = new Map(
    plane.messages().filter(({ isAccepted }) => isAccepted)
      .map((request) => [request.session, request]),
  );
  strictEqual(plane.kit.records.length, truth.size);
  for (const { session, accountId, usage } of plane.kit.records) {
    const served = truth.get(session);
    const isRight = served !== undefined && served.account === accountId &&
      served.usage.output === usage?.output &&
      served.usage.input === usage?.input;
    if (!isRight) wrong.push(`${session} on ${accountId}`);
  }
  for (const { token, account: name } of plane.messages()) {
    if (token === null || name === null) wrong.push(`nobody's ${token}`);
  }
  return wrong;
}

/** Fails unless each account is known by its own figures alone. */
function quotaIsOwn({ kit, api }: DemoPlane): void {
  for (const event of kit.events) {
    if (event.kind !== "quota_observed") continue;
    const { accountId, windows } = event.observation;
    const index = EIGHT.indexOf(accountId);
    const used = windows.find(({ key }) => key === "5h")?.utilization ?? null;
    const isOwn = used !== null &&
      Math.abs(used - usedAtFirst(index)) < 0.05;
    ok(isOwn, `${accountId} is said to have used ${used}`);
  }
  for (const name of EIGHT) {
    const known = kit.keeper.state.accounts.get(account(name).id)
      ?.windows["5h"]?.utilization ?? 0;
    const truth = api.account(name).utilization()["5h"] ?? 0;
    ok(Math.abs(known - truth) <= 0.011, `${name}: ${known}, truly ${truth}`);
  }
}
