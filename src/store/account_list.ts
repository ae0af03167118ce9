/**
 * Where a person's settings for each account are kept: `accounts[]` of the
 * config file, or the store of a shared pool.
 *
 * @module
 */

import {
  type ConfigDocument,
  type ConfigEdit,
  editConfig,
  type EditPorts,
  readConfig,
} from "./config_file.ts";

export interface AccountList {
  /** Names the place in errors. */
  readonly place: string;
  /** What an account without a row is: a config's list leaves it out. */
  readonly others: "left_out" | "served";
  /** Returns a document whose `accounts` are the rows, if there are any. */
  read(): Promise<ConfigDocument>;
  /** Does as {@linkcode read}, with `config` in place of the config file. */
  readWith(config: ConfigDocument): Promise<ConfigDocument>;
  /** Changes what the list holds at that moment. */
  edit(edit: ConfigEdit): Promise<void>;
}

/** The list in the config file. */
export class ConfigAccountList implements AccountList {
  readonly others = "left_out";
  readonly place: string;
  readonly #ports: EditPorts;

  constructor(configFile: string, ports: EditPorts) {
    this.place = configFile;
    this.#ports = ports;
  }

  async read(): Promise<ConfigDocument> {
    return await readConfig(this.place) ?? {};
  }

  readWith(config: ConfigDocument): Promise<ConfigDocument> {
    return Promise.resolve(config);
  }

  async edit(edit: ConfigEdit): Promise<void> {
    await editConfig(this.place, edit, this.#ports);
  }
}
