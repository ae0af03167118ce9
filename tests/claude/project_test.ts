/** The repository of a folder and of a session. */

import "../fixtures/clean_environment.ts";
import { strictEqual } from "node:assert/strict";
import {
  projectOfSession,
  repositoryOf,
} from "../../src/claude/sessions/project.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

Deno.test("repositoryOf() finds the repository, and a worktree's main one", async () => {
  await using folder = new TempFolder();
  const at = (path: string) => folder.join(path);
  for (const path of ["repo/.git/worktrees/fix", "repo/src/deep", "fix/src"]) {
    await Deno.mkdir(at(path), { recursive: true });
  }
  await Deno.mkdir(at("repo/.git/modules/lib"), { recursive: true });
  await Deno.mkdir(at("repo/lib/src"), { recursive: true });
  await Deno.mkdir(at("plain/inside"), { recursive: true });
  await Deno.writeTextFile(
    at("fix/.git"),
    `gitdir: ${at("repo/.git/worktrees/fix")}\n`,
  );
  await Deno.writeTextFile(at("repo/.git/worktrees/fix/commondir"), "../..\n");
  await Deno.writeTextFile(at("repo/lib/.git"), "gitdir: ../.git/modules/lib");
  strictEqual(repositoryOf(at("repo/src/deep")), at("repo"));
  strictEqual(repositoryOf(at("repo")), at("repo"));
  strictEqual(repositoryOf(at("fix/src")), at("repo"));
  strictEqual(repositoryOf(at("repo/lib/src")), at("repo/lib"));
  strictEqual(repositoryOf(at("plain/inside")), at("plain/inside"));
});

Deno.test("projectOfSession() reads the running clients, then the transcript", async () => {
  await using folder = new TempFolder();
  const write = async (path: string, text: string) => {
    const file = folder.join(path);
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), {
      recursive: true,
    });
    await Deno.writeTextFile(file, text);
  };
  const live = JSON.stringify({ sessionId: "s-live", cwd: "/src/live" });
  await write("sessions/17.json", live);
  await write("sessions/18.json", "{ half");
  await write(
    "projects/-src-old/s-old.jsonl",
    `{"type":"mode"}\n${JSON.stringify({ type: "user", cwd: "/src/old" })}\n`,
  );
  const find = (session: string) => projectOfSession(folder.path, session);
  strictEqual(await find("s-live"), "/src/live");
  strictEqual(await find("s-old"), "/src/old");
  strictEqual(await find("s-none"), null);
});
