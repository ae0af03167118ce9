/**
 * A second thread that takes transcripts from the same list as the main one: the
 * first look at months of them takes half of the time by it.
 *
 * @module
 */

import type { TranscriptAnswer } from "../../core/transcript.ts";
import type { PartList } from "./part_list.ts";
import type { ReadingNews, ReadingOrder } from "./reading_worker.ts";
import type { TranscriptPart } from "./transcript_reader.ts";

/** What the second thread has read of a part. */
export interface PartRead {
  /** The part's index. */
  readonly at: number;
  readonly answers: readonly TranscriptAnswer[];
  /** Bytes of whole lines that are known now; null if it cannot be read. */
  readonly knownBytes: number | null;
  readonly isWhole: boolean;
}

export class SecondReader implements Disposable {
  readonly #worker: Worker;
  readonly #ended = Promise.withResolvers<void>();

  /** `take` gets each part as soon as this thread has time for it. */
  constructor(
    parts: readonly TranscriptPart[],
    list: PartList,
    take: (read: PartRead) => void,
  ) {
    this.#worker = new Worker(
      new URL("./reading_worker.ts", import.meta.url),
      {
        type: "module",
        name: "tc-reader",
        deno: {
          permissions: {
            read: true,
            write: false,
            net: false,
            env: false,
            run: false,
            sys: false,
            ffi: false,
            import: false,
          },
        },
      },
    );
    this.#worker.onmessage = ({ data }: MessageEvent<ReadingNews>) => {
      if (data === null) return this.#ended.resolve();
      take({ ...data, answers: JSON.parse(data.answers) });
    };
    this.#worker.onerror = (event) => {
      // What it took and did not tell is read by the main thread.
      event.preventDefault();
      this.#ended.resolve();
    };
    const order: ReadingOrder = { parts, memory: list.memory };
    this.#worker.postMessage(order);
  }

  /** Resolves when it reads no more; it may have failed. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
