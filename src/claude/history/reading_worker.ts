/**
 * Entry of the thread that reads transcripts beside the main one. It may read
 * files and nothing else.
 *
 * @module
 */

import { TranscriptAnswers } from "../../core/transcript.ts";
import { PartList } from "./part_list.ts";
import { type TranscriptPart, TranscriptReader } from "./transcript_reader.ts";

/** What the thread is to read. */
export interface ReadingOrder {
  readonly parts: readonly TranscriptPart[];
  /** The memory of the PartList that hands out the parts. */
  readonly memory: SharedArrayBuffer;
}

/** What was read of one part; null when the thread has nothing left to read. */
export type ReadingNews = {
  /** The part's index. */
  readonly at: number;
  /** Bytes of whole lines that are known now; null if it cannot be read. */
  readonly knownBytes: number | null;
  /** Whether the part was read to its end. */
  readonly isWhole: boolean;
  /** Its answers as JSON, which costs half of what a copy of objects does. */
  readonly answers: string;
} | null;

interface WorkerScope {
  onmessage: ((event: MessageEvent<ReadingOrder>) => void) | null;
  postMessage(message: ReadingNews): void;
}

async function readParts(
  { parts, memory }: ReadingOrder,
  tell: (news: ReadingNews) => void,
): Promise<void> {
  const list = new PartList(parts.length, memory);
  const reader = new TranscriptReader();
  for (let at = list.take(); at !== null; at = list.take()) {
    const part = parts[at];
    if (part === undefined) break;
    tell({ at, ...await readPart(reader, part, list) });
  }
  tell(null);
}

async function readPart(
  reader: TranscriptReader,
  part: TranscriptPart,
  list: PartList,
): Promise<Omit<NonNullable<ReadingNews>, "at">> {
  const answers = new TranscriptAnswers();
  let isWhole = true;
  try {
    const knownBytes = await reader.read(part, {
      take: (answer) => answers.add(answer),
      goOn: (bytes) => {
        list.addBytes(bytes);
        isWhole = !list.isStopped;
        return isWhole;
      },
    });
    return { knownBytes, isWhole, answers: JSON.stringify([...answers]) };
  } catch {
    // It is gone meanwhile, or not readable for us.
    return { knownBytes: null, isWhole, answers: "[]" };
  }
}

const scope = self as unknown as WorkerScope;
scope.onmessage = ({ data }) =>
  readParts(data, (news) => scope.postMessage(news));
