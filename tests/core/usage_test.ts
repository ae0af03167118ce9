import { strictEqual } from "node:assert/strict";
import { modelFamily } from "../../src/core/account.ts";
import { costNanodollars } from "../../src/core/pricing.ts";
import { LIST_BOOK } from "../fixtures/list_book.ts";
import { NO_USAGE, quotaTokens } from "../../src/core/usage.ts";

/** Names that every object has, and a client may give its model. */
const INHERITED = ["constructor", "toString", "__proto__", "valueOf"];

Deno.test("quotaTokens() counts a model named as what every object has", () => {
  for (const model of INHERITED) {
    const usage = { ...NO_USAGE, input: 100 };
    strictEqual(quotaTokens(usage, modelFamily(model), 0.1), 100);
  }
});

Deno.test("costNanodollars() has no price of a model named so", () => {
  for (const model of INHERITED) {
    const usage = { ...NO_USAGE, input: 100 };
    strictEqual(costNanodollars(usage, { model, at: 0 }, LIST_BOOK), null);
  }
});
