/**
 * Errors that nobody awaits. One of them must not end the server and cut every
 * stream: it is logged with its stack, and the process continues.
 *
 * @module
 */
import { stackOf } from "../errors.ts";

/** Where uncaught errors arrive: the global scope of a thread. */
type UncaughtScope = Pick<
  EventTarget,
  "addEventListener" | "removeEventListener"
>;

/**
 * Calls `tell` with the stack of each uncaught error and unhandled rejection of
 * this thread, and keeps it from ending the process. Disposing restores the
 * runtime's behaviour.
 */
export function catchUncaught(
  scope: UncaughtScope,
  tell: (fault: string) => void,
): Disposable {
  function rejected(event: Event): void {
    event.preventDefault();
    tell(faultText((event as PromiseRejectionEvent).reason));
  }
  function failed(event: Event): void {
    event.preventDefault();
    tell(faultText((event as ErrorEvent).error));
  }
  scope.addEventListener("unhandledrejection", rejected);
  scope.addEventListener("error", failed);
  return {
    [Symbol.dispose]: () => {
      scope.removeEventListener("unhandledrejection", rejected);
      scope.removeEventListener("error", failed);
    },
  };
}

/** Returns the message of `cause` with its stack. */
function faultText(cause: unknown): string {
  return stackOf(cause);
}
