import { ok, strictEqual } from "node:assert/strict";
import { diff } from "../../src/deck/terminal/screen.ts";
import { Canvas, type Frame } from "../../src/deck/terminal/frame.ts";
import { type Line, span } from "../../src/deck/terminal/line.ts";
import { startModel } from "../../src/deck/model.ts";
import { UNICODE } from "../../src/deck/terminal/theme.ts";
import { update } from "../../src/deck/update.ts";
import { view } from "../../src/deck/view.ts";
import { trials } from "../fixtures/trials.ts";
import { Emulator, type Widths } from "./emulator.ts";
import {
  Draw,
  randomLocal,
  randomMessage,
  randomStatus,
} from "./random_scene.ts";
import { NOW } from "./scene.ts";

const ESC = "\u001b";

function frame(columns: number, ...lines: readonly Line[]): Frame {
  const canvas = new Canvas({ columns, rows: lines.length });
  lines.forEach((line, row) => canvas.put(line, { row }));
  return canvas.frame();
}

Deno.test("diff() of two frames that are the same is empty", () => {
  const one = frame(10, [span("abc", "good"), span("🦊")]);
  const other = frame(10, [span("abc", "good"), span("🦊")]);
  strictEqual(diff(one, other, "16"), "");
});

Deno.test("diff() writes the changed cell and its style alone", () => {
  const one = frame(10, [span("abcdefgh")]);
  const other = frame(10, [span("abc"), span("X", "good"), span("efgh")]);
  strictEqual(diff(one, other, "16"), `${ESC}[1;4H${ESC}[0;32mX${ESC}[0m`);
});

Deno.test("diff() clears the rest of a row by one code", () => {
  const one = frame(20, [span("a long line of text")]);
  const other = frame(20, [span("a long")]);
  strictEqual(
    diff(one, other, "mono"),
    `${ESC}[1;7H${ESC}[0m${ESC}[K${ESC}[0m`,
  );
});

Deno.test("diff() without colour carries no colour code", () => {
  const one = frame(10, [span("a", "bad"), span("b", "good")]);
  // deno-lint-ignore no-control-regex
  ok(!/\u001b\[[0-9;]*3[0-9]/.test(diff(null, one, "mono")));
});

Deno.test("diff() draws everything anew after a resize", () => {
  const codes = diff(frame(10, [span("a")]), frame(11, [span("a")]), "mono");
  ok(codes.includes(`${ESC}[2J`));
});

async function follow(seed: number, steps: number, widths: Widths) {
  const draw = new Draw(seed);
  let [model] = update(
    startModel({
      size: { columns: 120, rows: 40 },
      now: NOW,
      look: { glyphs: UNICODE, timeZone: "UTC" },
      isServer: false,
    }),
    { kind: "status", status: randomStatus(draw) },
  );
  [model] = update(model, { kind: "local", local: randomLocal(draw) });
  const emulator = new Emulator(120, 40, widths);
  await emulator.write(`${ESC}[?1049h${ESC}[?7l`);
  let shown: Frame | null = null;
  for (let step = 0; step < steps; step++) {
    const next = view(model);
    if (shown?.columns !== next.columns || shown.rows !== next.rows) {
      emulator.resize(next.columns, next.rows);
    }
    await emulator.write(diff(shown, next, "truecolor"));
    emulator.assertShows(next, `seed ${seed}, step ${step}`);
    shown = next;
    [model] = update(model, randomMessage(draw, NOW + step * 1_000));
  }
}

Deno.test("diff() makes a terminal show the frame, step by step", async () => {
  await follow(11, trials(60, 10_000), "agreeing");
});

Deno.test("diff() holds on a terminal that knows no wide emojis", async () => {
  await follow(12, trials(30, 5_000), "old");
});
