/**
 * Files that other programs own, such as Claude Code's settings. They are
 * replaced only if they still hold what was read, and changed as text, so that
 * order and comments stay.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import { TcError } from "../../errors.ts";
import { type StepObserver, writeAtomic } from "./atomic.ts";
import { fileError, folderOf, modeOf, resolveTarget } from "./file_target.ts";
import {
  type ConfigDocument,
  type ConfigEdit,
  parseConfig,
} from "../config_file.ts";
import { changeJsonc } from "./jsonc_edit.ts";

const TRIES_MAX = 20;
const BYTES_MAX = 64 * 1024 * 1024;

/** Reads and replaces whole texts. */
export class ForeignTexts {
  readonly #onStep: StepObserver | undefined;

  constructor(onStep?: StepObserver) {
    this.#onStep = onStep;
  }

  /** Returns the text of `path`, or null if there is none. */
  read(path: string): Promise<string | null> {
    return Promise.try(() => readNow(path));
  }

  /**
   * Replaces `before` by `text`, readable by its owner only; returns false if
   * `before` is no longer there.
   */
  async replace(
    path: string,
    before: string | null,
    text: string,
  ): Promise<boolean> {
    return await this.#put(await resolveTarget(path), before, { text });
  }

  /**
   * Returns why `path` could not be replaced now, or null. An existing file is
   * opened for writing and left unchanged; a missing file is allowed.
   */
  async obstacle(path: string): Promise<string | null> {
    const target = await resolveTarget(path);
    try {
      const file = await Deno.open(target, { write: true });
      file.close();
      return null;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return null;
      return fileError(`write ${target}`, error).message;
    }
  }

  async #put(
    target: string,
    before: string | null,
    { text, mode }: {
      readonly text: string;
      readonly mode?: number | undefined;
    },
  ): Promise<boolean> {
    if (readNow(target) !== before) return false;
    try {
      await Deno.mkdir(folderOf(target), { recursive: true, mode: 0o700 });
    } catch (error) {
      throw fileError(`make ${folderOf(target)}`, error);
    }
    return await writeAtomic(target, new TextEncoder().encode(text), {
      onStep: this.#onStep,
      confirm: () => readNow(target) === before,
      hasRivals: true,
      mayWriteInPlace: true,
      mode,
    });
  }

  /**
   * Changes the JSON in `path` and keeps everything that `edit` leaves alone. A
   * missing file is made, unless the edit returns the empty document; an
   * existing one keeps its mode. Throws ConfigError if the text is not a JSON
   * object, and leaves it unchanged.
   */
  async edit(path: string, edit: ConfigEdit): Promise<ConfigDocument> {
    for (let tries = 1; tries <= TRIES_MAX; tries++) {
      const text = await this.read(path);
      const before = text === null ? {} : parseConfig(text, path);
      const after = edit(before);
      if (isDeepStrictEqual(before, after)) return before;
      const isEmpty = text === null || text.trim() === "";
      const next = isEmpty
        ? `${JSON.stringify(after, null, 2)}\n`
        : changeJsonc(text, after);
      const target = await resolveTarget(path);
      const mode = await modeOf(target);
      if (await this.#put(target, text, { text: next, mode })) return after;
    }
    throw new TcError(
      `Cannot change ${path}: it is being written all the time`,
      {
        code: "file_busy",
      },
    );
  }
}

function readNow(path: string): string | null {
  try {
    const { size, isFile } = Deno.statSync(path);
    if (!isFile || size > BYTES_MAX) {
      const reason = isFile ? "it is too large" : "it is not a regular file";
      throw new TcError(`Cannot read ${path}: ${reason}`, {
        code: "file_too_large",
      });
    }
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof TypeError) {
      throw new TcError(`Cannot read ${path}: it is not UTF-8 text`, {
        code: "not_text",
        cause: error,
      });
    }
    if (error instanceof Deno.errors.NotFound) return null;
    throw fileError(`read ${path}`, error);
  }
}
