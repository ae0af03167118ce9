/**
 * The data plane: an answer as the listener sends it to the client.
 *
 * @module
 */

import type { HeaderList } from "../ports.ts";

/** A body that comes bit by bit. */
export interface AnswerBody {
  /** The next bytes, null at the end; rejects when it broke. */
  read(): Promise<Uint8Array | null>;
  /** The client takes no more; harmless after the end. */
  cancel(): void;
}

export interface ClientAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  /** Whole, bit by bit, or null where the answer has none by its kind. */
  readonly body: Uint8Array | AnswerBody | null;
  /** Why tc refused a request that was not booked; such an answer is logged. */
  readonly refusal?: string;
}

/** `body` for who works with streams; it reads only what is asked for. */
export function streamOf(body: AnswerBody): ReadableStream<Uint8Array> {
  let isOver = false;
  return new ReadableStream<Uint8Array>({
    async pull(controller): Promise<void> {
      try {
        const chunk = await body.read();
        // A cancel settles the read under way; the stream is shut by then.
        if (isOver) return;
        if (chunk !== null) return controller.enqueue(chunk);
        controller.close();
      } catch (cause) {
        if (!isOver) controller.error(cause);
      }
      isOver = true;
    },
    cancel(): void {
      isOver = true;
      body.cancel();
    },
  }, { highWaterMark: 0 });
}

/** A stream as the body of an answer. */
export function bodyOf(stream: ReadableStream<Uint8Array>): AnswerBody {
  const reader = stream.getReader();
  return {
    async read(): Promise<Uint8Array | null> {
      const { done, value } = await reader.read();
      return done ? null : value;
    },
    cancel(): void {
      reader.cancel().catch(() => {
        // It broke before: nobody is left to tell.
      });
    },
  };
}
