import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { diff } from "../../src/deck/terminal/screen.ts";
import { frameText } from "../fixtures/frame_text.ts";
import type { Key } from "../../src/deck/terminal/keys.ts";
import { type Model, startModel } from "../../src/deck/model.ts";
import { ASCII, type Glyphs, UNICODE } from "../../src/deck/terminal/theme.ts";
import { update } from "../../src/deck/update.ts";
import { view } from "../../src/deck/view.ts";
import { picture } from "./picture.ts";
import {
  fleet,
  NOW,
  pinned,
  poolCurves,
  poolStatus,
  session,
  usage,
} from "./scene.ts";

const GOLDEN = new URL("./golden/", import.meta.url);

/** The widths of the drawn screens, each with the height it is drawn at. */
const SIZES = [
  { columns: 220, rows: 60 },
  { columns: 200, rows: 40 },
  { columns: 120, rows: 40 },
  { columns: 100, rows: 30 },
  { columns: 80, rows: 30 },
  { columns: 60, rows: 24 },
  { columns: 40, rows: 24 },
  { columns: 60, rows: 20 },
  { columns: 80, rows: 24 },
  { columns: 40, rows: 12 },
] as const;

function model(
  size: { readonly columns: number; readonly rows: number },
  glyphs: Glyphs = UNICODE,
): Model {
  const [known] = update(
    startModel({
      size,
      now: NOW,
      look: { glyphs, timeZone: "UTC" },
      isServer: true,
    }),
    { kind: "status", status: poolStatus() },
  );
  const [drawn] = update(known, { kind: "curves", curves: poolCurves() });
  return update(drawn, { kind: "local", local: fleet() })[0];
}

Deno.test("view() marks the account that is pinned", () => {
  const status = poolStatus();
  const server = { ...status.server, pin: "home" };
  const [pinnedTo] = update(model({ columns: 120, rows: 40 }), {
    kind: "status",
    status: { ...status, server },
  });
  const text = frameText(view(pinnedTo));
  ok(/^◈▲ home /m.test(text), text);
  ok(text.includes("pinned to home"));
});

Deno.test("view() says how far it is open when the pool and a window run out", () => {
  const status = poolStatus();
  const at = (ms: number) => ({ iso: new Date(ms).toISOString(), ms });
  const between = (from: number, to: number) => ({
    soonest: at(NOW + from * 3_600_000),
    latest: at(NOW + to * 3_600_000),
  });
  const [open] = update(model({ columns: 200, rows: 40 }), {
    kind: "status",
    status: {
      ...status,
      forecast: { ...status.forecast, lastsBetween: between(100, 160) },
      accounts: status.accounts.map((account) => ({
        ...account,
        windows: account.windows.map((window) => ({
          ...window,
          spentAt: at(NOW + 3_600_000),
          spentBetween: between(0.5, 2),
        })),
      })),
    },
  });
  const openAccounts = new Set(["work"]);
  const text = frameText(view({ ...open, openAccounts }));
  ok(/lasts until \w+ \(.* to .*\)/.test(text), text);
  const window =
    /5h: at this pace empty about \d\d:\d\d \(\d\d:\d\d to \d\d:\d\d\)/;
  strictEqual(text.split("\n").filter((line) => window.test(line)).length, 1);
  const narrow = { ...open, size: { columns: 100, rows: 40 } };
  ok(/lasts until \w+ *$/m.test(frameText(view(narrow))));
});

function pressed(start: Model, keys: string): Model {
  return keys.split(" ").reduce((now, text) => {
    const key: Key = text === "Tab"
      ? { kind: "named", name: "tab" }
      : text === "Enter"
      ? { kind: "named", name: "enter" }
      : { kind: "char", text };
    return update(now, { kind: "key", key })[0];
  }, start);
}

/** `deno task golden` writes what is drawn instead of comparing it. */
function assertGolden(name: string, text: string): void {
  const file = new URL(name, GOLDEN);
  if (Deno.env.get("TC_GOLDEN") === "1") {
    Deno.mkdirSync(GOLDEN, { recursive: true });
    Deno.writeTextFileSync(file, text);
    return;
  }
  strictEqual(text, Deno.readTextFileSync(file), `${name}: deno task golden`);
}

for (const size of SIZES) {
  const name = `${size.columns}x${size.rows}`;

  Deno.test(`view() draws the pool at ${name}, without colour`, () => {
    assertGolden(`${name}.txt`, `${frameText(view(model(size)))}\n`);
  });

  Deno.test(`view() draws the pool at ${name}, in ASCII`, () => {
    const frame = view(model(size, ASCII));
    assertGolden(`${name}_ascii.txt`, `${frameText(frame)}\n`);
  });

  Deno.test(`diff() draws the pool at ${name}, in colour`, () => {
    const codes = diff(null, view(model(size)), "16");
    const text = codes.replaceAll("\u001b", "\\e")
      .replaceAll(/\\e\[(\d+);1H/g, "\n\\e[$1;1H");
    assertGolden(`${name}_color.txt`, `${text}\n`);
  });
}

for (const mode of ["light", "dark"] as const) {
  Deno.test(`the README's ${mode} picture is a frame of the Deck`, () => {
    const drawn = picture(view(model({ columns: 100, rows: 30 })), mode);
    assertGolden(`../../../docs/deck-${mode}.svg`, drawn);
  });
}

const PANELS: readonly (readonly [name: string, keys: string])[] = [
  ["help", "?"],
  ["pin", "s"],
  ["pin_question", "s Enter"],
  ["policy", "p"],
  ["accounts_menu", "a"],
  ["remove_question", "r j j Enter"],
  ["remove_refused", "r Enter"],
  ["off_question", "a j t"],
  ["rename", "a n"],
  ["quit_question", "q"],
  ["issues", "i"],
  ["filter", "/ h o m e"],
  ["cursor", "Tab Tab j Enter"],
];

for (const [name, keys] of PANELS) {
  Deno.test(`view() draws ${name.replaceAll("_", " ")} after ${keys}`, () => {
    const start = model({ columns: 80, rows: 30 });
    assertGolden(
      `keys_${name}.txt`,
      `${frameText(view(pressed(start, keys)))}\n`,
    );
  });
}

Deno.test("view() in ASCII holds nothing else where names are ASCII", () => {
  const [plain] = update(model({ columns: 120, rows: 40 }, ASCII), {
    kind: "local",
    local: fleet().map((one) => ({ ...one, emoji: null })),
  });
  for (const keys of ["?", "a", "p", "/ x"]) {
    const text = frameText(view(pressed(plain, keys)));
    // deno-lint-ignore no-control-regex
    const found = /[^\x00-\x7f]/.exec(text)?.[0];
    strictEqual(found, undefined, keys);
  }
});

Deno.test("view() goes down to one line where there is no room", () => {
  const frame = view(model({ columns: 39, rows: 12 }));
  const [first, ...rest] = frameText(frame).split("\n");
  strictEqual(first, "tc ● 9 free · next 41m · 2 need you");
  ok(rest.every((line) => line === ""));
  const asked = pressed(model({ columns: 39, rows: 12 }), "q");
  strictEqual(
    frameText(view(asked)).split("\n")[0],
    "Stop the server  y stop  n stay",
  );
});

Deno.test("view() says what wants a person, and what mends it", () => {
  const status = poolStatus({
    accounts: [],
    requests: [],
    activity: [],
    notices: [
      {
        level: "error",
        text: "work needs sign-in: the refresh token was refused",
        mend: "tc login --account work",
      },
      { level: "warn", text: "no keychain: an encrypted file", mend: null },
      ...Array.from({ length: 3 }, (_, index) => ({
        level: "warn" as const,
        text: `another ${index}`,
        mend: null,
      })),
    ],
  });
  const start = model({ columns: 80, rows: 30 });
  const [known] = update(start, { kind: "status", status });
  const [, , notice = ""] = frameText(view(known)).split("\n");
  strictEqual(
    notice,
    " ■ work needs sign-in: the refresh token was refused   tc login --account work",
  );
  const wide = { ...known, size: { columns: 120, rows: 30 } };
  match(
    frameText(view(wide)).split("\n")[2] ?? "",
    /tc login --account work {3}4 more: tc status$/,
  );
});

Deno.test("view() draws twelve levels of agents without a crooked lane", () => {
  const names = Array.from({ length: 12 }, (_, depth) => `L${depth}`);
  const local = names.map((name, depth) =>
    pinned(name, depth === 0 ? null : `L${depth - 1}`, { emoji: "🐜" })
  );
  const status = poolStatus({
    accounts: [],
    requests: [],
    activity: [],
    sessions: names.map((name) =>
      session(`s-${name}`, { usage: usage({ output: 1_000 }) })
    ),
  });
  const start = model({ columns: 80, rows: 40 });
  const [known] = update(start, { kind: "status", status });
  const [deep] = update(known, { kind: "local", local });
  assertGolden("deep.txt", `${frameText(view(deep))}\n`);
});
