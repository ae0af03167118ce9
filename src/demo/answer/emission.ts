/**
 * An answer as a sequence of server-sent events in the exact order of the real
 * API, and scripted sequences that break off, stall or end in an error.
 *
 * @module
 */

import { blockPieces } from "./answer.ts";
import {
  EventWriter,
  type MessageEventOut,
  type StreamError,
} from "./event_writer.ts";

/** One step of a scripted stream. */
export type StreamStep =
  | "message_start"
  /** The next whole block of the answer. */
  | "text"
  | "ping"
  | "message_delta"
  /** Closes what is open; sends `message_delta` first if that was not sent. */
  | "message_stop"
  /** Breaks the transfer off. */
  | "cut"
  /** Sends nothing more and stays open. */
  | "hang"
  | { readonly pauseMs: number }
  /** A text delta; opens a block if none is open. */
  | { readonly text: string }
  /** An `event: error`, after which the stream ends. */
  | { readonly error: StreamError }
  /** Bytes, sent unchanged. */
  | { readonly raw: string };

export type Emission =
  | MessageEventOut
  | { readonly kind: "pause"; readonly ms: number }
  | { readonly kind: "raw"; readonly text: string }
  | { readonly kind: "cut" }
  | { readonly kind: "hang" };

/** Yields the whole answer, event by event. */
export function* answerEmissions(
  writer: EventWriter,
  deltaPauseMs: number,
): Generator<Emission> {
  yield writer.start();
  for (const [index, block] of writer.blocks.entries()) {
    yield writer.openBlock(block);
    if (index === 0) yield writer.ping();
    yield* paced(writer.deltas(blockPieces(block)), deltaPauseMs);
    if (block.kind === "thinking") yield writer.signature(block.text);
    yield writer.closeBlock();
  }
  yield writer.delta();
  yield writer.stop();
}

/**
 * Yields a scripted stream; parts of the answer that no step names are left
 * out.
 */
export function* scriptedEmissions(
  writer: EventWriter,
  steps: readonly StreamStep[],
): Generator<Emission> {
  for (const step of steps) yield* oneStep(writer, step);
}

function* oneStep(writer: EventWriter, step: StreamStep): Generator<Emission> {
  if (typeof step === "string") return yield* namedStep(writer, step);
  if ("pauseMs" in step) return yield { kind: "pause", ms: step.pauseMs };
  if ("raw" in step) return yield { kind: "raw", text: step.raw };
  if ("error" in step) return yield writer.error(step.error);
  if (!writer.isBlockOpen) {
    yield writer.openBlock({ kind: "text", text: step.text });
  }
  yield* writer.deltas([step.text]);
}

function* namedStep(
  writer: EventWriter,
  step: Extract<StreamStep, string>,
): Generator<Emission> {
  switch (step) {
    case "message_start":
      return yield writer.start();
    case "ping":
      return yield writer.ping();
    case "cut":
    case "hang":
      return yield { kind: step };
    case "text": {
      const block = writer.nextBlock();
      if (writer.isBlockOpen) yield writer.closeBlock();
      yield writer.openBlock(block);
      yield* writer.deltas(blockPieces(block));
      return yield writer.closeBlock();
    }
    case "message_delta":
    case "message_stop":
      if (writer.isBlockOpen) yield writer.closeBlock();
      if (!writer.isDeltaSent) yield writer.delta();
      if (step === "message_stop") yield writer.stop();
  }
}

function* paced(
  events: Iterable<Emission>,
  pauseMs: number,
): Generator<Emission> {
  for (const event of events) {
    if (pauseMs > 0) yield { kind: "pause", ms: pauseMs };
    yield event;
  }
}
