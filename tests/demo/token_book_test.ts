/** The demo's token families: single use, rotation, death by reuse. */

import {
  deepStrictEqual,
  notStrictEqual,
  ok,
  strictEqual,
} from "node:assert/strict";
import { instantFromMs } from "../../src/core/time.ts";
import { Dice } from "../../src/demo/dice.ts";
import { TokenBook } from "../../src/demo/token_book.ts";

const NOW = instantFromMs(1_800_000_000_000);
const LATER = instantFromMs(NOW + 28_800_000);
const ENDS = {
  expiresAt: LATER,
  signInEndsAt: instantFromMs(NOW + 30 * 86_400_000),
};
const WISH = {
  now: NOW,
  expiresAt: LATER,
  signInEndsAt: null,
  keepsRefresh: false,
};

function book(): TokenBook {
  return new TokenBook(new Dice("tokens"));
}

Deno.test("a refresh token is spent once and its successor works", () => {
  const tokens = book();
  const first = tokens.mint("work", ["user:inference"], ENDS);
  const rotated = tokens.rotate(first.refreshToken, WISH);
  ok(rotated.kind === "rotated");
  notStrictEqual(rotated.tokens.refreshToken, first.refreshToken);
  strictEqual(tokens.find(first.accessToken, NOW)?.state, "superseded");
  strictEqual(tokens.find(rotated.tokens.accessToken, NOW)?.state, "live");
  strictEqual(tokens.rotate(rotated.tokens.refreshToken, WISH).kind, "rotated");
});

Deno.test("a spent refresh token that comes again kills its whole family", () => {
  const tokens = book();
  const first = tokens.mint("work", [], ENDS);
  const other = tokens.mint("work", [], ENDS);
  const rotated = tokens.rotate(first.refreshToken, WISH);
  ok(rotated.kind === "rotated");
  strictEqual(tokens.rotate(first.refreshToken, WISH).kind, "reused");
  strictEqual(tokens.find(rotated.tokens.accessToken, NOW)?.state, "revoked");
  strictEqual(tokens.rotate(rotated.tokens.refreshToken, WISH).kind, "dead");
  strictEqual(tokens.find(other.accessToken, NOW)?.state, "live");
  deepStrictEqual(tokens.counts(), {
    minted: 2,
    rotations: 1,
    reuses: 1,
    killed: 1,
  });
  strictEqual(tokens.newest("work"), other);
});

Deno.test("a refresh that keeps its token renews the access token alone", () => {
  const tokens = book();
  const first = tokens.mint("work", [], ENDS);
  const wish = { ...WISH, keepsRefresh: true };
  const renewed = tokens.rotate(first.refreshToken, wish);
  ok(renewed.kind === "rotated");
  strictEqual(renewed.tokens.refreshToken, first.refreshToken);
  strictEqual(tokens.rotate(first.refreshToken, WISH).kind, "rotated");
});

Deno.test("access tokens expire, and a refresh mends that", () => {
  const tokens = book();
  const first = tokens.mint("work", [], { ...ENDS, expiresAt: NOW });
  strictEqual(tokens.find(first.accessToken, NOW)?.state, "expired");
  const rotated = tokens.rotate(first.refreshToken, WISH);
  ok(rotated.kind === "rotated");
  strictEqual(tokens.find(rotated.tokens.accessToken, NOW)?.state, "live");
});

Deno.test("unknown tokens are unknown, and every token says that it is fake", () => {
  const tokens = book();
  const minted = tokens.mint("work", [], ENDS);
  strictEqual(tokens.find("sk-ant-oat01-FAKE-other", NOW), null);
  strictEqual(tokens.rotate("sk-ant-ort01-FAKE-other", WISH).kind, "unknown");
  ok(minted.accessToken.startsWith("sk-ant-oat01-FAKE-work-"));
  ok(minted.refreshToken.startsWith("sk-ant-ort01-FAKE-work-"));
});

Deno.test("the same seed mints the same tokens", () => {
  deepStrictEqual(
    book().mint("a", [], { ...ENDS, expiresAt: NOW }),
    book().mint("a", [], { ...ENDS, expiresAt: NOW }),
  );
});
