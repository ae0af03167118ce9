import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { editConfig, readConfig } from "../../src/store/config_file.ts";
import { canMount, SmallDisk } from "../fixtures/mounts.ts";
import { realClock, realEntropy } from "../fixtures/real_ports.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import {
  canLinkFiles,
  HAS_MODES,
  strictMode,
} from "../fixtures/file_abilities.ts";

const PORTS = { clock: realClock, entropy: realEntropy };

Deno.test("editConfig() makes the file and its folder, private", async () => {
  await using folder = new TempFolder();
  const path = folder.join("deep/config.json");
  await editConfig(path, (document) => ({ ...document, a: 1 }), PORTS);
  strictEqual(await Deno.readTextFile(path), '{\n  "a": 1\n}\n');
  if (Deno.build.os === "windows") return;
  strictEqual(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
  strictEqual(
    ((await Deno.stat(folder.join("deep"))).mode ?? 0) & 0o777,
    0o700,
  );
});

Deno.test({
  name:
    "editConfig() keeps comments and a link, and closes a file that was open to all",
  ignore: !await canLinkFiles(),
  fn: keepsLink,
});

async function keepsLink(): Promise<void> {
  await using folder = new TempFolder();
  await Deno.writeTextFile(folder.join("real"), '{ "a": 1, // mine\n}');
  if (HAS_MODES) await Deno.chmod(folder.join("real"), 0o644);
  const path = folder.join("config.json");
  await Deno.symlink("real", path, { type: "file" });
  await editConfig(path, (document) => ({ ...document, b: 2 }), PORTS);
  strictEqual(
    await Deno.readTextFile(folder.join("real")),
    '{ "a": 1, // mine\n  "b": 2,\n}',
  );
  strictEqual((await Deno.lstat(path)).isSymlink, true);
  await strictMode(path, 0o600);
}

Deno.test("editConfig() does not write what did not change", async () => {
  await using folder = new TempFolder();
  const path = folder.join("config.json");
  await Deno.writeTextFile(path, '{"a":1}');
  const { mtime } = await Deno.stat(path);
  await editConfig(path, (document) => document, PORTS);
  deepStrictEqual((await Deno.stat(path)).mtime, mtime);
  await editConfig(folder.join("none.json"), (document) => document, PORTS);
  strictEqual(await readConfig(folder.join("none.json")), null);
});

Deno.test("editConfig() starts anew when the file is changed under its hands", async () => {
  await using folder = new TempFolder();
  const path = folder.join("config.json");
  await Deno.writeTextFile(path, '{"a":1}');
  let isFirst = true;
  await editConfig(path, (document) => ({ ...document, ours: true }), {
    ...PORTS,
    async onStep(step) {
      if (step !== "synced" || !isFirst) return;
      isFirst = false;
      await Deno.writeTextFile(path, '{"a":2, "theirs": true} // note');
    },
  });
  strictEqual(
    await Deno.readTextFile(path),
    '{"a":2, "theirs": true, "ours": true} // note',
  );
});

Deno.test("a config that is no JSON is told with its place and kept", async () => {
  await using folder = new TempFolder();
  const path = folder.join("config.json");
  const bad = '{\n  "a": 1\n  "b": 2\n}';
  await Deno.writeTextFile(path, bad);
  const error = {
    code: "bad_config",
    exitCode: 78,
    message: `Cannot read ${path}: Unexpected "\\"" at line 3, column 3`,
  };
  await rejects(readConfig(path), error);
  await rejects(editConfig(path, () => ({ a: 2 }), PORTS), error);
  strictEqual(await Deno.readTextFile(path), bad);
});

Deno.test("every cut of a config is loaded or refused, and never overwritten", async () => {
  await using folder = new TempFolder();
  const path = folder.join("config.json");
  const whole = '{"accounts": [{"name": "work"}], "proxy": {"port": 3456}}';
  for (let length = 1; length < whole.length; length++) {
    const cut = whole.slice(0, length);
    await Deno.writeTextFile(path, cut);
    await rejects(editConfig(path, (d) => ({ ...d, b: 1 }), PORTS));
    strictEqual(await Deno.readTextFile(path), cut);
  }
});

Deno.test("a folder, a list and odd bytes are refused", async () => {
  await using folder = new TempFolder();
  await Deno.mkdir(folder.join("folder"));
  await rejects(readConfig(folder.join("folder")), { code: "bad_config" });
  await Deno.writeTextFile(folder.join("list"), "[]");
  await rejects(readConfig(folder.join("list")), { code: "bad_config" });
  await Deno.writeFile(
    folder.join("utf16"),
    new Uint8Array([0xff, 0xfe, 0x7b]),
  );
  await rejects(readConfig(folder.join("utf16")), { code: "bad_config" });
  await Deno.writeTextFile(folder.join("empty"), "");
  deepStrictEqual(await readConfig(folder.join("empty")), {});
});

Deno.test("100 edits at once from two sides are all there", async () => {
  await using folder = new TempFolder();
  const path = folder.join("config.json");
  await Promise.all(
    Array.from(
      { length: 100 },
      (_, index) =>
        editConfig(path, (d) => ({ ...d, [`key${index}`]: index }), PORTS),
    ),
  );
  strictEqual(Object.keys(await readConfig(path) ?? {}).length, 100);
});

Deno.test({
  name: "editConfig() on a full or read-only disk tells why and keeps the file",
  ignore: !canMount(),
  async fn() {
    await using folder = new TempFolder();
    using disk = new SmallDisk(folder.path, "64k");
    const path = `${disk.path}/config.json`;
    await editConfig(path, () => ({ a: 1 }), PORTS);
    const text = await Deno.readTextFile(path);
    disk.fill();
    const edit = editConfig(path, () => ({ a: "long".repeat(2_000) }), PORTS);
    await rejects(edit, { code: "disk_full" });
    disk.free();
    await disk.setWritable("ro");
    await rejects(editConfig(path, () => ({ a: 2 }), PORTS), {
      code: "read_only",
    });
    strictEqual(await Deno.readTextFile(path), text);
  },
});
