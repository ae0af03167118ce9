/** What the Deck need not draw again, and when it must. */

import { notStrictEqual, strictEqual } from "node:assert/strict";
import type { StatusView } from "../../src/control/protocol.ts";
import { startModel } from "../../src/deck/model.ts";
import { activitySection } from "../../src/deck/panels/activity.ts";
import { sceneOf } from "../../src/deck/scene.ts";
import { ASCII, glyphsFor } from "../../src/deck/terminal/theme.ts";
import { update } from "../../src/deck/update.ts";
import { listsOf } from "../../src/deck/view.ts";
import { ended, NOW, poolStatus } from "./scene.ts";

const LOOK = {
  glyphs: glyphsFor({ environment: { LANG: "C.UTF-8" }, isWindows: false }),
  timeZone: "UTC",
};
const SIZE = { columns: 120, rows: 40 };

function modelOf(status: StatusView) {
  const start = startModel({
    size: SIZE,
    now: NOW,
    look: LOOK,
    isServer: false,
  });
  return update(start, { kind: "status", status })[0];
}

Deno.test("the row of an ended request is drawn once, and anew where its look changes", () => {
  const status = poolStatus();
  const model = modelOf(status);
  const [row] = activitySection(sceneOf(model)).rows;
  const [later] = update(model, { kind: "ticked", now: NOW + 5_000 });
  strictEqual(activitySection(sceneOf(later)).rows[0], row);
  // A newer request leaves the row of the older one as it was.
  const activity = [
    ended("e9", { session: "s-D-101" }),
    ...status.activity,
  ];
  const [newer] = update(model, {
    kind: "status",
    status: { ...status, activity },
  });
  strictEqual(activitySection(sceneOf(newer)).rows[1], row);
  const wide = { columns: 200, rows: 60 };
  const [resized] = update(model, { kind: "resized", size: wide });
  notStrictEqual(activitySection(sceneOf(resized)).rows[0], row);
  const ascii = { ...model, look: { ...LOOK, glyphs: ASCII } };
  notStrictEqual(activitySection(sceneOf(ascii)).rows[0], row);
});

Deno.test("the lists of a model are made once, also where rows got their places", () => {
  const model = modelOf(poolStatus());
  const scene = sceneOf(model);
  strictEqual(listsOf(scene), listsOf(scene));
  const [later] = update(model, { kind: "ticked", now: NOW + 5_000 });
  notStrictEqual(listsOf(sceneOf(later)), listsOf(scene));
});
