import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { linkShared } from "../../src/profile/shared_links.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { canLink } from "../fixtures/file_abilities.ts";
import { needs } from "../fixtures/skipped.ts";

const LINKS = await canLink();

/** Registers a test that needs links to folders: junctions, on Windows. */
function linked(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !LINKS, fn });
}

async function folders(
  shared: Readonly<Record<string, string>>,
): Promise<TempFolder> {
  const temp = new TempFolder();
  await Deno.mkdir(temp.join("shared"));
  await write(temp.join("shared"), shared);
  return temp;
}

async function write(
  folder: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    const file = `${folder}/${path}`;
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(file, text);
  }
}

function link(temp: TempFolder): Promise<readonly string[]> {
  return linkShared(temp.join("own"), temp.join("shared"));
}

linked(
  "linkShared() links what there is, and the transcripts in any case",
  async () => {
    await using temp = await folders({
      "settings.json": "{}",
      "agents/a.md": "an agent",
      ".credentials.json": "never",
    });
    deepStrictEqual(await link(temp), []);
    const names: string[] = [];
    for await (const { name, isSymlink } of Deno.readDir(temp.join("own"))) {
      ok(isSymlink, name);
      names.push(name);
    }
    deepStrictEqual(names.toSorted(), ["agents", "projects", "settings.json"]);
    strictEqual(
      await Deno.readTextFile(temp.join("own/agents/a.md")),
      "an agent",
    );
  },
);

linked(
  "linkShared() takes what the client wrote over a link, when it is newer",
  async () => {
    await using temp = await folders({ "settings.json": `{"old":1}` });
    await link(temp);
    const own = temp.join("own/settings.json");
    await Deno.remove(own);
    await Deno.writeTextFile(own, `{"new":1}`);
    await Deno.utime(temp.join("shared/settings.json"), 1_000, 1_000);
    deepStrictEqual(await link(temp), ["settings.json"]);
    const shared = temp.join("shared/settings.json");
    strictEqual(await Deno.readTextFile(shared), `{"new":1}`);
    strictEqual(await Deno.readTextFile(`${shared}.older`), `{"old":1}`);
    ok((await Deno.lstat(own)).isSymlink);
  },
);

linked("linkShared() keeps what is older beside what is newer", async () => {
  await using temp = await folders({ "CLAUDE.md": "newer" });
  await write(temp.join("own"), { "CLAUDE.md": "older" });
  await Deno.utime(temp.join("own/CLAUDE.md"), 1_000, 1_000);
  await link(temp);
  const shared = temp.join("shared/CLAUDE.md");
  strictEqual(await Deno.readTextFile(shared), "newer");
  strictEqual(await Deno.readTextFile(`${shared}.older`), "older");
});

linked("linkShared() merges folders that have diverged", async () => {
  await using temp = await folders({
    "projects/a/1.jsonl": "one",
    "skills/x/SKILL.md": "mine",
  });
  await write(temp.join("own"), {
    "projects/a/2.jsonl": "two",
    "projects/b/3.jsonl": "three",
    "todos/t.json": "todo",
  });
  await link(temp);
  for (
    const [path, text] of [
      ["projects/a/1.jsonl", "one"],
      ["projects/a/2.jsonl", "two"],
      ["projects/b/3.jsonl", "three"],
      ["todos/t.json", "todo"],
      ["skills/x/SKILL.md", "mine"],
    ] as const
  ) {
    strictEqual(await Deno.readTextFile(temp.join("shared", path)), text);
    strictEqual(await Deno.readTextFile(temp.join("own", path)), text);
  }
});

linked("linkShared() leaves a person's own link as it is", async () => {
  await using temp = await folders({ "CLAUDE.md": "shared" });
  await write(temp.join("other"), { "CLAUDE.md": "another" });
  await Deno.mkdir(temp.join("own"));
  await Deno.symlink(temp.join("other/CLAUDE.md"), temp.join("own/CLAUDE.md"));
  await link(temp);
  strictEqual(await Deno.readTextFile(temp.join("own/CLAUDE.md")), "another");
});

linked("linkShared() writes through a link of the shared folder", async () => {
  await using temp = await folders({});
  await write(temp.join("dotfiles"), { "settings.json": "{}" });
  await Deno.symlink(
    temp.join("dotfiles/settings.json"),
    temp.join("shared/settings.json"),
  );
  await write(temp.join("own"), { "settings.json": `{"new":1}` });
  await Deno.utime(temp.join("dotfiles/settings.json"), 1_000, 1_000);
  await link(temp);
  ok((await Deno.lstat(temp.join("shared/settings.json"))).isSymlink);
  strictEqual(
    await Deno.readTextFile(temp.join("dotfiles/settings.json")),
    `{"new":1}`,
  );
});

linked(
  "linkShared() keeps a file where the shared folder has a folder, and the reverse",
  async () => {
    await using temp = await folders({
      "projects/p/x/deep": "theirs",
      "skills/y": "theirs",
    });
    await write(temp.join("own"), {
      "projects/p/x": "mine",
      "skills/y/SKILL.md": "mine",
    });
    await link(temp);
    for (
      const [path, text] of [
        ["projects/p/x/deep", "theirs"],
        ["projects/p/x.kept", "mine"],
        ["skills/y", "theirs"],
        ["skills/y.kept/SKILL.md", "mine"],
      ] as const
    ) strictEqual(await Deno.readTextFile(temp.join("own", path)), text);
    ok((await Deno.lstat(temp.join("own/projects"))).isSymlink);
    ok((await Deno.lstat(temp.join("own/skills"))).isSymlink);
  },
);

Deno.test({
  name: "linkShared() keeps programs executable",
  ignore: needs("modes"),
  async fn() {
    await using temp = await folders({ "hooks/both.sh": "old" });
    await write(temp.join("own"), {
      "hooks/both.sh": "new",
      "hooks/mine.sh": "mine",
    });
    const both = temp.join("shared/hooks/both.sh");
    await Deno.chmod(both, 0o755);
    await Deno.utime(both, 1_000, 1_000);
    await Deno.chmod(temp.join("own/hooks/mine.sh"), 0o755);
    await link(temp);
    for (const name of ["both.sh", "mine.sh"]) {
      const { mode } = await Deno.stat(temp.join("shared/hooks", name));
      strictEqual((mode ?? 0) & 0o777, 0o755, name);
    }
  },
});
