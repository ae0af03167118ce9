/** Help, mouse, sorting, undo and copying. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { undoOf } from "../../src/deck/input/undo.ts";
import { type Effect, type Model, startModel } from "../../src/deck/model.ts";
import { helpLines } from "../../src/deck/panels/help.ts";
import { parseKeys } from "../../src/deck/terminal/keys.ts";
import { UNICODE } from "../../src/deck/terminal/theme.ts";
import { update } from "../../src/deck/update.ts";
import { view } from "../../src/deck/view.ts";
import { frameText } from "../fixtures/frame_text.ts";
import { trials } from "../fixtures/trials.ts";
import { Draw, randomLocal, randomStatus } from "./random_scene.ts";
import { fleet, NOW, poolCurves, poolStatus } from "./scene.ts";

function start(columns = 120, rows = 40): Model {
  const look = { glyphs: UNICODE, timeZone: "UTC" };
  const size = { columns, rows };
  let model = startModel({ size, now: NOW, look, isServer: false });
  [model] = update(model, { kind: "status", status: poolStatus() });
  return update(model, { kind: "local", local: fleet() })[0];
}

/** Types `bytes` as a terminal sends them. */
function typed(
  model: Model,
  bytes: string,
): { readonly model: Model; readonly effects: readonly Effect[] } {
  const effects: Effect[] = [];
  let next = model;
  const { keys } = parseKeys(new TextEncoder().encode(bytes), new Uint8Array());
  for (const key of keys) {
    const [after, asked] = update(next, { kind: "key", key });
    next = after;
    effects.push(...asked);
  }
  return { model: next, effects };
}

/** Clicks on the first cell that shows `text`. */
function clicked(model: Model, text: string, button = 0): Model {
  const lines = frameText(view(model)).split("\n");
  const row = lines.findIndex((line) => line.includes(text));
  ok(row >= 0, `${text} is on the screen`);
  return typed(model, `\u001b[<${button};5;${row + 1}M`).model;
}

/** Signs that draw lines and need no explanation. */
const LINES = "─│┌┐└┘├▕▏·";

/** Signs that are drawn beside letters, as in `café`, are names. */
function signsIn(text: string): ReadonlySet<string> {
  return new Set(
    [...text].filter((sign) =>
      !/[\p{L}\p{M}\p{N}\p{Cf}\p{RGI_Emoji}\s\x20-\x7e]/v.test(sign) &&
      !LINES.includes(sign) && (sign.codePointAt(0) ?? 0) < 0x1f000
    ),
  );
}

Deno.test("the help explains every sign that the screen draws", () => {
  const told = signsIn(
    helpLines(UNICODE).map(({ key, text }) => `${key} ${text}`).join("\n"),
  );
  const draw = new Draw(3);
  let model =
    update(start(200, 50), { kind: "curves", curves: poolCurves() })[0];
  const seen = new Set(signsIn(frameText(view(model))));
  for (let step = 0; step < trials(60, 600); step++) {
    const status = randomStatus(draw);
    const server = { ...status.server, pin: status.accounts[0]?.label ?? null };
    [model] = update(model, { kind: "status", status: { ...status, server } });
    const local = randomLocal(draw).map((one) => ({ ...one, emoji: null }));
    [model] = update(model, { kind: "local", local });
    for (const sign of signsIn(frameText(view(model)))) seen.add(sign);
  }
  // Bars and curves have parts of one sign.
  const part = /[▁▂▃▄▅▆▇▉▊▋▍▎]/;
  const unknown = [...seen].filter((sign) =>
    !told.has(sign) && !part.test(sign)
  );
  deepStrictEqual(unknown, []);
  for (const sign of ["●", "▲", "■", "◌", "○", "┃", "◈", "►", "☂", "↳"]) {
    ok(seen.has(sign), `${sign} was drawn`);
  }
});

Deno.test("the help scrolls to its end and back, and closes", () => {
  const { model: opened } = typed(start(80, 24), "?");
  const end = helpLines(UNICODE).at(-1)?.text ?? "";
  ok(!frameText(view(opened)).includes(end));
  const { model: down } = typed(opened, "j".repeat(90));
  ok(frameText(view(down)).includes(end));
  const { model: one } = typed(down, "k");
  ok(frameText(view(one)) !== frameText(view(down)), "one key back is seen");
  const { model: wheel } = typed(opened, "\u001b[<65;9;9M");
  ok(frameText(view(wheel)) !== frameText(view(opened)), "the wheel scrolls");
  strictEqual(typed(down, "\u001b").model.overlay, null);
});

Deno.test("a click selects the row under it, and the wheel moves in its list", () => {
  const onHome = clicked(start(), "▲ home");
  deepStrictEqual([onHome.pane, onHome.selected], ["accounts", "account:home"]);
  const wheeled = clicked(onHome, "▲ home", 65);
  strictEqual(wheeled.pane, "accounts");
  strictEqual(wheeled.selected, "account:key-1");
  const onTitle = clicked(start(), "── live 2");
  deepStrictEqual([onTitle.pane, onTitle.selected], ["live", "request:r1"]);
  const released = typed(start(), "\u001b[<0;5;6m").model;
  strictEqual(released.selected, null);
});

Deno.test("a lost server stands first, in words and red, and old figures fade", () => {
  const [lost] = update(start(), { kind: "lost", reason: "gone" });
  const [model] = update(lost, { kind: "ticked", now: NOW + 12_000 });
  const frame = view(model);
  match(frameText(frame), /^ ■ no server for 12s /);
  const styles = (row: number) =>
    new Set(
      frame.style.slice(row * frame.columns, (row + 1) * frame.columns)
        .filter((_, index) => frame.text[row * frame.columns + index] !== " "),
    );
  const [dim, bad] = [1, 5];
  ok(styles(0).has(bad));
  const row = frameText(frame).split("\n").findIndex((line) =>
    line.includes("● work")
  );
  deepStrictEqual([...styles(row)], [dim]);
});

Deno.test("o sorts the list that the cursor is in, at once", () => {
  const names = (model: Model) =>
    frameText(view(model)).split("\n")
      .flatMap((line) => /^.[●▲■◌○] (\S+)/.exec(line)?.[1] ?? []);
  const set = start();
  deepStrictEqual(names(set).slice(0, 3), ["work", "home", "spare"]);
  const byTokens = typed(set, "o").model;
  strictEqual(byTokens.sort.accounts, "tokens");
  const byName = typed(byTokens, "o").model;
  deepStrictEqual(names(byName).slice(0, 3), ["home", "key-1", "new"]);
  const inTree = typed(set, "jo").model;
  deepStrictEqual(
    [inTree.sort.agents, inTree.sort.accounts],
    ["name", "set"],
  );
});

Deno.test("y copies the id of the row and shows it", () => {
  const onRequest = clicked(start(), "── live 2");
  const { model, effects } = typed(onRequest, "y");
  deepStrictEqual(effects, [{ kind: "copy", text: "r1" }]);
  strictEqual(model.note?.text, "Copied r1");
  deepStrictEqual(typed(start(), "y").effects, []);
});

Deno.test("u takes back the last change, after a question", () => {
  const status = poolStatus();
  const off: Effect = { kind: "enable", account: "work", isOn: false };
  const undo = undoOf(off, status);
  deepStrictEqual(undo?.effect, {
    kind: "enable",
    account: "work",
    isOn: true,
  });
  const [changed] = update(start(), {
    kind: "done",
    text: "work is off",
    undo,
  });
  match(changed.note?.text ?? "", /u undoes it$/);
  const asked = typed(changed, "u");
  deepStrictEqual(asked.effects, []);
  match(frameText(view(asked.model)), /work is turned on again/);
  deepStrictEqual(typed(asked.model, "y").effects, [undo?.effect]);
  match(typed(start(), "u").model.note?.text ?? "", /no change .* to undo/);
});

Deno.test("undoOf() returns to what held before, and never brings back a removed account", () => {
  const status = poolStatus();
  const of = (effect: Effect) => undoOf(effect, status)?.effect ?? null;
  deepStrictEqual(of({ kind: "pin", account: "home" }), {
    kind: "pin",
    account: null,
  });
  deepStrictEqual(of({ kind: "policy", policy: "pace" }), {
    kind: "policy",
    policy: "price",
  });
  deepStrictEqual(of({ kind: "rename", account: "work", label: "w2" }), {
    kind: "rename",
    account: "w2",
    label: "work",
  });
  deepStrictEqual(of({ kind: "priority", account: "work", priority: 3 }), {
    kind: "priority",
    account: "work",
    priority: 0,
  });
  strictEqual(of({ kind: "remove", account: "work" }), null);
  strictEqual(of({ kind: "reload" }), null);
});

Deno.test("a lost server leaves nothing in the header that looks like now", () => {
  const [lost] = update(start(), { kind: "lost", reason: "gone" });
  const frame = view(lost);
  const at = frameText(frame).split("\n")[0]?.indexOf("9 sessions") ?? -1;
  ok(at > 0);
  strictEqual(frame.style[at], 1, "dim");
});
