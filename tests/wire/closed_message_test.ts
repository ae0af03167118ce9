import { ok, strictEqual } from "node:assert/strict";
import { type Instant, instantFromMs } from "../../src/core/time.ts";
import {
  type ClosedAccount,
  closedMessage,
} from "../../src/wire/answer/api_error.ts";

/** Friday 2026-11-20, 11:00 UTC; an hour later on the wall. */
const NOW = instantFromMs(Date.UTC(2026, 10, 20, 11, 0, 0));
const OPTIONS = {
  now: NOW,
  offsetMsAt: () => 3_600_000,
  holdingSec: null,
};

function utc(day: number, hour: number, minute: number): Instant {
  return instantFromMs(Date.UTC(2026, 10, day, hour, minute, 0));
}

function closed(
  label: string,
  reason: string,
  until: Instant | null,
): ClosedAccount {
  return { label, reason, until, isBusy: reason === "full" };
}

Deno.test("closedMessage() is the sentence of the screens", () => {
  strictEqual(
    closedMessage([
      closed("work", "5h used up", utc(20, 12, 12)),
      closed("home", "5h used up", utc(20, 13, 5)),
      closed("spare", "7d used up", utc(21, 8, 0)),
      closed("new", "needs sign-in (tc login --account new)", null),
    ], { ...OPTIONS, holdingSec: 40.2 }),
    "All 4 accounts are closed: work and home: 5h used up, back 13:12 and 14:05; spare: 7d used up, back Sat 09:00; new: needs sign-in (tc login --account new). Holding for 41 s.",
  );
});

Deno.test("closedMessage() calls no account closed that failed for one request alone", () => {
  const tried = (label: string): ClosedAccount => ({
    ...closed(label, "could not serve this request", null),
    isTried: true,
  });
  strictEqual(
    closedMessage([tried("work"), tried("home")], OPTIONS),
    "None of the 2 accounts could serve this request, tried: work and home.",
  );
  strictEqual(
    closedMessage([tried("work")], OPTIONS),
    "The only account could not serve this request, tried: work.",
  );
  ok(
    closedMessage([tried("work"), closed("home", "5h used up", null)], OPTIONS)
      .startsWith("All 2 accounts are closed: work: could not serve"),
  );
});

Deno.test("closedMessage() speaks of one account and of none", () => {
  strictEqual(
    closedMessage([closed("work", "5h used up", utc(20, 12, 12))], OPTIONS),
    "The only account is closed: work: 5h used up, back 13:12.",
  );
  strictEqual(
    closedMessage([], OPTIONS),
    "The pool has no account: tc status says why, tc login adds one.",
  );
});

Deno.test("closedMessage() calls accounts busy where none is closed", () => {
  const full = closed("a", "full", null);
  strictEqual(
    closedMessage([full, closed("b", "full", null)], OPTIONS),
    "All 2 accounts are busy: a and b: full.",
  );
  const spent = closed("b", "5h used up", utc(20, 12, 12));
  strictEqual(
    closedMessage([full, spent], OPTIONS),
    "All 2 accounts are closed: a: full; b: 5h used up, back 13:12.",
  );
});

Deno.test("closedMessage() says a common time once and lists three names", () => {
  const until = utc(20, 12, 12);
  strictEqual(
    closedMessage(
      ["a", "b", "c"].map((label) => closed(label, "throttled", until)),
      OPTIONS,
    ),
    "All 3 accounts are closed: a, b and c: throttled, back 13:12.",
  );
});

Deno.test("closedMessage() gives the date beyond a week and the local day", () => {
  function back(until: Instant): string {
    return /back (.*)\./.exec(
      closedMessage([closed("a", "x", until)], OPTIONS),
    )?.[1] ?? "";
  }
  strictEqual(back(utc(20, 22, 59)), "23:59");
  strictEqual(back(utc(20, 23, 0)), "Sat 00:00");
  strictEqual(back(utc(26, 11, 0)), "Thu 12:00");
  strictEqual(back(utc(27, 11, 0)), "27 Nov 12:00");
  strictEqual(back(utc(20, 10, 0)), "11:00");
});

Deno.test("closedMessage() follows a change of the clocks", () => {
  const options = {
    ...OPTIONS,
    offsetMsAt: (at: Instant) => (at > NOW ? 7_200_000 : 3_600_000),
  };
  ok(
    closedMessage([closed("a", "x", utc(20, 12, 0))], options)
      .endsWith("back 14:00."),
  );
});

Deno.test("closedMessage() names a dozen and counts the rest", () => {
  const many = Array.from(
    { length: 20 },
    (_, index) => closed(`n${index}`, "5h used up", null),
  );
  const message = closedMessage(many, OPTIONS);
  ok(message.startsWith("All 20 accounts are closed: n0, n1,"));
  ok(message.endsWith("n10 and n11: 5h used up; and 8 more."));
});
