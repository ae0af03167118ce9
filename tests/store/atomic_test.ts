import "../fixtures/clean_environment.ts";
import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import {
  ensurePrivateFolder,
  pendingPath,
  readIfThere,
  writeAtomic,
  type WriteStep,
} from "../../src/store/files/atomic.ts";
import { resolveTarget } from "../../src/store/files/file_target.ts";
import { canMount, mount, SmallDisk, unmount } from "../fixtures/mounts.ts";
import { fromFileUrl } from "../fixtures/paths.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const isWindows = Deno.build.os === "windows";
const isRoot = Deno.build.os === "linux" && Deno.uid() === 0;
const mayMount = canMount();

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
}

Deno.test("writeAtomic() replaces the whole file and leaves nothing else", async () => {
  await using folder = new TempFolder();
  const path = folder.join("a");
  await Deno.writeTextFile(path, "a much longer text than the new one");
  strictEqual(await writeAtomic(path, bytes("new")), true);
  strictEqual(await Deno.readTextFile(path), "new");
  deepStrictEqual(names(folder.path), ["a"]);
});

Deno.test("writeAtomic() goes through its steps in order", async () => {
  await using folder = new TempFolder();
  const steps: WriteStep[] = [];
  await writeAtomic(folder.join("a"), bytes("x"), {
    onStep: (step) => void steps.push(step),
  });
  deepStrictEqual(steps, [
    "opened",
    "written",
    "synced",
    "renamed",
    "folder_synced",
  ]);
});

Deno.test("writeAtomic() keeps the old file whatever step fails", async () => {
  await using folder = new TempFolder();
  const path = folder.join("a");
  await Deno.writeTextFile(path, "old");
  for (const failing of ["opened", "written", "synced"]) {
    const fault = Object.assign(new Error("no"), { code: "ENOSPC" });
    await rejects(
      writeAtomic(path, bytes("new"), {
        onStep(step) {
          if (step === failing) throw fault;
        },
      }),
      { code: "disk_full", message: `Cannot write ${path}: the disk is full` },
    );
    strictEqual(await Deno.readTextFile(path), "old");
    deepStrictEqual(names(folder.path), ["a"]);
  }
});

Deno.test("writeAtomic() leaves the file when it is not confirmed", async () => {
  await using folder = new TempFolder();
  const path = folder.join("a");
  await Deno.writeTextFile(path, "old");
  strictEqual(
    await writeAtomic(path, bytes("new"), { confirm: () => false }),
    false,
  );
  strictEqual(await Deno.readTextFile(path), "old");
  deepStrictEqual(names(folder.path), ["a"]);
});

Deno.test("writeAtomic() overwrites the rest of a write that was cut off", async () => {
  await using folder = new TempFolder();
  const path = folder.join("a");
  await Deno.writeTextFile(pendingPath(path), "half of someth");
  await writeAtomic(path, bytes("new"));
  strictEqual(await Deno.readTextFile(path), "new");
  deepStrictEqual(names(folder.path), ["a"]);
});

Deno.test({
  name: "writeAtomic() makes a private file under every umask",
  ignore: isWindows,
  async fn() {
    await using folder = new TempFolder();
    const script = `
      import { writeAtomic, ensurePrivateFolder } from "${new URL(
      "../../src/store/files/atomic.ts",
      import.meta.url,
    )}";
      const [folder, mask, before] = Deno.args;
      Deno.umask(parseInt(mask, 8));
      if (before === "loose") {
        await Deno.mkdir(folder);
        await Deno.chmod(folder, 0o755);
        await Deno.writeTextFile(folder + "/a", "old");
        await Deno.chmod(folder + "/a", 0o644);
      }
      await ensurePrivateFolder(folder);
      await writeAtomic(folder + "/a", new Uint8Array(3));
      const mode = (path) => (Deno.statSync(path).mode & 0o777).toString(8);
      console.log(mode(folder), mode(folder + "/a"));
    `;
    const file = folder.join("script.ts");
    await Deno.writeTextFile(file, script);
    for (const mask of ["000", "022", "027", "077", "177", "277"]) {
      for (const before of ["fresh", "loose"]) {
        const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
          args: [
            "run",
            "-A",
            "--no-check",
            file,
            folder.join(`${mask}${before}`),
            mask,
            before,
          ],
        }).output();
        strictEqual(
          new TextDecoder().decode(stdout).trim(),
          "700 600",
          `umask ${mask}, ${before}: ${new TextDecoder().decode(stderr)}`,
        );
      }
    }
  },
});

Deno.test({
  name: "resolveTarget() follows links, so that writing keeps them",
  ignore: isWindows,
  async fn() {
    await using folder = new TempFolder();
    await Deno.mkdir(folder.join("dot"));
    await Deno.writeTextFile(folder.join("dot/real"), "old");
    await Deno.symlink("dot/real", folder.join("first"));
    await Deno.symlink(folder.join("first"), folder.join("second"));
    const target = await resolveTarget(folder.join("second"));
    strictEqual(target, folder.join("dot/real"));
    await writeAtomic(target, bytes("new"));
    strictEqual(await Deno.readTextFile(folder.join("second")), "new");
    strictEqual((await Deno.lstat(folder.join("second"))).isSymlink, true);
    strictEqual((await Deno.lstat(folder.join("first"))).isSymlink, true);
  },
});

Deno.test({
  name: "resolveTarget() names the missing end of a link, and refuses a ring",
  ignore: isWindows,
  async fn() {
    await using folder = new TempFolder();
    await Deno.symlink("missing", folder.join("dangling"));
    strictEqual(
      await resolveTarget(folder.join("dangling")),
      folder.join("missing"),
    );
    await Deno.symlink("ring", folder.join("ring"));
    await rejects(resolveTarget(folder.join("ring")), {
      code: "too_many_links",
    });
  },
});

Deno.test({
  name: "writeAtomic() on a full disk leaves no stump and tells why",
  ignore: !mayMount,
  async fn() {
    await using folder = new TempFolder();
    using disk = new SmallDisk(folder.path, "64k");
    const path = `${disk.path}/a`;
    await writeAtomic(path, bytes("old"));
    await rejects(writeAtomic(path, new Uint8Array(200_000)), {
      code: "disk_full",
    });
    strictEqual(await Deno.readTextFile(path), "old");
    deepStrictEqual(names(disk.path), ["a"]);
  },
});

Deno.test({
  name: "writeAtomic() on a read-only file system tells why",
  ignore: !mayMount,
  async fn() {
    await using folder = new TempFolder();
    using disk = new SmallDisk(folder.path, "64k");
    const path = `${disk.path}/a`;
    await writeAtomic(path, bytes("old"));
    await disk.setWritable("ro");
    await rejects(writeAtomic(path, bytes("new")), { code: "read_only" });
    strictEqual(await Deno.readTextFile(path), "old");
  },
});

Deno.test({
  name: "writeAtomic() across devices: a link is followed, a mount refused",
  ignore: !mayMount,
  async fn() {
    await using folder = new TempFolder();
    await Deno.mkdir(folder.join("other"));
    using other = new SmallDisk(folder.join("other"), "64k");
    await Deno.writeTextFile(`${other.path}/real`, "old");
    await Deno.symlink(`${other.path}/real`, folder.join("link"));
    await writeAtomic(await resolveTarget(folder.join("link")), bytes("new"));
    strictEqual(await Deno.readTextFile(`${other.path}/real`), "new");

    const single = folder.join("single");
    await Deno.writeTextFile(single, "");
    mount("--bind", `${other.path}/real`, single);
    try {
      await rejects(writeAtomic(single, bytes("newer")), { code: "busy" });
      strictEqual(await Deno.readTextFile(single), "new");
      strictEqual(await readIfThere(`${single}.next`), null);
    } finally {
      unmount(single);
    }
  },
});

Deno.test("writeAtomic() tells of EXDEV and EIO in words", async () => {
  await using folder = new TempFolder();
  for (
    const [system, code] of [["EXDEV", "other_device"], ["EIO", "device_error"]]
  ) {
    await rejects(
      writeAtomic(folder.join("a"), bytes("x"), {
        onStep(step) {
          if (step !== "synced") return;
          throw Object.assign(new Error("no"), { code: system });
        },
      }),
      { code },
    );
    deepStrictEqual(names(folder.path), []);
  }
});

Deno.test({
  name: "writeAtomic() without permission tells why",
  ignore: !isRoot,
  async fn() {
    await using folder = new TempFolder();
    const path = folder.join("a");
    await Deno.writeTextFile(path, "old");
    await Deno.chmod(folder.path, 0o755);
    const cache = folder.join("cache");
    await Deno.mkdir(cache);
    await Deno.chmod(cache, 0o777);
    // The other user may not be able to read the checkout.
    await copyTree(
      fromFileUrl(new URL("../../src", import.meta.url)),
      folder.join("src"),
    );
    const file = folder.join("src/script.ts");
    await Deno.writeTextFile(
      file,
      `
      import { writeAtomic } from "./store/files/atomic.ts";
      try { await writeAtomic(Deno.args[0], new Uint8Array(1)); }
      catch (error) { console.log(error.code); }
    `,
    );
    await Deno.chmod(file, 0o644);
    // Nor to enter the folder of the program that runs this test.
    const program = folder.join("deno");
    await Deno.copyFile(Deno.execPath(), program);
    await Deno.chmod(program, 0o755);
    const { stdout, stderr } = await new Deno.Command(program, {
      args: ["run", "-A", "--no-check", "--no-config", "--no-lock", file, path],
      uid: 65534,
      gid: 65534,
      cwd: folder.path,
      clearEnv: true,
      env: { DENO_DIR: cache },
    }).output();
    strictEqual(
      new TextDecoder().decode(stdout).trim(),
      "no_permission",
      new TextDecoder().decode(stderr),
    );
    strictEqual(await Deno.readTextFile(path), "old");
  },
});

async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to);
  await Deno.chmod(to, 0o755);
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyTree(`${from}/${name}`, `${to}/${name}`);
    else {
      await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
      await Deno.chmod(`${to}/${name}`, 0o644);
    }
  }
}

Deno.test({
  name: "ensurePrivateFolder() takes an open folder from the others",
  ignore: isWindows,
  async fn() {
    await using folder = new TempFolder();
    const path = folder.join("deep/er");
    await ensurePrivateFolder(path);
    strictEqual(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o700);
    await Deno.chmod(path, 0o777);
    await ensurePrivateFolder(path);
    strictEqual(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o700);
  },
});
