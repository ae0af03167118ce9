import { strictEqual } from "node:assert/strict";
import { nearest } from "../../src/core/nearest.ts";

const WORDS = ["run", "server", "status", "stop", "capacity"];

Deno.test("nearest() finds the word that was meant", () => {
  strictEqual(nearest("stauts", WORDS), "status");
  strictEqual(nearest("sever", WORDS), "server");
  strictEqual(nearest("rn", WORDS), "run");
  strictEqual(nearest("stop", WORDS), "stop");
});

Deno.test("nearest() returns null if no word is near", () => {
  strictEqual(nearest("frobnicate", WORDS), null);
  strictEqual(nearest("x", []), null);
});
