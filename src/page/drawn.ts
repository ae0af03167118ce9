/**
 * What a screen shows of an answer of the server, and what went wrong.
 *
 * @module
 */

import { type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

interface Drawn<View> {
  /** The last answer; null before the first. */
  readonly view: Signal<View | null>;
  /** Why the last question had no answer, or null. */
  readonly fault: Signal<string | null>;
}

/**
 * Asks again whenever one of `inputs` changes. An answer to an older question
 * is dropped.
 */
export function useDrawn<View>(
  ask: () => Promise<View>,
  inputs: readonly unknown[],
): Drawn<View> {
  const view = useSignal<View | null>(null);
  const fault = useSignal<string | null>(null);
  useEffect(() => {
    let isWanted = true;
    ask().then((answer) => {
      if (!isWanted) return;
      view.value = answer;
      fault.value = null;
    }, (cause: Error) => {
      if (isWanted) fault.value = cause.message;
    });
    return () => {
      isWanted = false;
    };
  }, [...inputs]);
  return { view, fault };
}
