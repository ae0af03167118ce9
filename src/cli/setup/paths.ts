/**
 * `tc paths`: every place where tc keeps something, and what may be deleted.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { dirname, join } from "node:path";
import { SCHEMA_FILE } from "../../config/json_schema.ts";
import { socketPath } from "../../config/socket_path.ts";
import { EXIT } from "../../errors.ts";
import { databasePath } from "../../store/ledger/database.ts";
import { keychainText } from "../../store/vault/keychain_tools.ts";
import { isThere, type Paths, vaultFolder } from "../../system/paths.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

const TEXT: CommandText = {
  name: "paths",
  group: "more",
  summary: "Print every place where tc keeps something",
  examples: ["tc paths", "tc paths --json"],
  schema: "tc.places/v1",
};

/** One place, for a person who looks for it, backs it up or removes it. */
interface Place {
  readonly name: string;
  readonly path: string;
  readonly holds: string;
  readonly isThere: boolean;
}

export function registerPaths(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .option("--json", "Print one JSON object")
    .action(
      registry.run((options) => showPlaces(new Shell(registry, options))),
    );
}

function showPlaces(shell: Shell): number {
  const { output } = shell;
  const places = placesOf(shell);
  if (output.isJson) {
    output.json({ schema: "tc.places/v1", places });
    return EXIT.ok;
  }
  const width = Math.max(...places.map(({ name }) => name.length)) + 2;
  for (const { name, path, holds, isThere } of places) {
    const rest = output.paint("dim", isThere ? holds : `${holds} (not there)`);
    output.line(`${name.padEnd(width)}${path}`);
    output.line(`${" ".repeat(width)}${rest}`);
  }
  return EXIT.ok;
}

/** Returns the places in the order in which a person asks for them. */
function placesOf(shell: Shell): readonly Place[] {
  const { configFile, secretsFolder, stateFolder, vaultKeyFile } = shell.paths;
  const { system } = shell;
  const socket = socketPath(shell.config, shell.paths, system);
  const keychain = shell.config.settings.vault.backend === "keychain"
    ? keychainText(system)
    : null;
  return [
    place(
      "settings",
      configFile,
      "edit it by hand; no login or key is in it, unless you set one",
    ),
    place(
      "schema",
      join(dirname(configFile), SCHEMA_FILE),
      "for editors; may be deleted",
    ),
    place("local key", join(secretsFolder, "key"), "opens the server"),
    place("vault", vaultFolder(shell.paths), "credentials, encrypted"),
    place("vault key", vaultKeyFile, "opens the vault; keep it apart from it"),
    ...(keychain === null ? [] : [{
      name: "keychain",
      path: keychain,
      holds: "credentials, under the service name tc",
      isThere: true,
    }]),
    place("history", databasePath(stateFolder), "may be deleted: only history"),
    place("log", join(stateFolder, "server.log"), "may be deleted"),
    ...(socket === null ? [] : [
      place("socket", socket, "exists while the server runs"),
    ]),
    ...foldersOf(shell.paths),
  ];
}

/** Returns the folders that hold all of it: to uninstall, delete these. */
function foldersOf(paths: Paths): readonly Place[] {
  const { configFile, secretsFolder, stateFolder, vaultKeyFile } = paths;
  // A config file that a variable names lies among files that are not tc's.
  const isNamed = dirname(secretsFolder) === dirname(configFile);
  const folders = isNamed
    ? [secretsFolder, stateFolder]
    : [dirname(configFile), secretsFolder, dirname(vaultKeyFile), stateFolder];
  return [...new Set(folders)].map((path) =>
    place("folder", path, "of tc alone: delete it to uninstall")
  );
}

function place(name: string, path: string, holds: string): Place {
  return { name, path, holds, isThere: isThere(path) };
}
