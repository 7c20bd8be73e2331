import { HebraError } from "@hebra/core";
import { abortedError } from "../aborted.ts";
import type { ReactorEvent } from "../events.ts";
import type { Reactor, ReactorInput } from "../reactor.ts";

/** What goes wrong in an answer. Events count from 0. */
export type ReactorFault =
  /** In place of the event, an error is thrown. @defaultValue `error` is a `REACTOR_FAILED` */
  | { kind: "throw"; at: number; error?: Error }
  /** In place of the event, nothing comes until the signal aborts. */
  | { kind: "hang"; at: number }
  /** In place of the event, the stream ends. */
  | { kind: "end"; at: number }
  /** `finish` comes twice. */
  | { kind: "duplicate-finish" }
  /** Events of one type are left out. */
  | { kind: "drop"; type: ReactorEvent["type"] };

/**
 * A reactor with a fault, to test what stands on it. The fault depends on nothing but the input.
 *
 * @param when - which steps have the fault, e.g. only the first attempt. @defaultValue every step
 *
 * @example
 * ```ts
 * import { scriptedReactor } from "@hebra/reactor";
 * import { faultyReactor } from "@hebra/reactor/testing";
 *
 * const sound = scriptedReactor({ steps: [{ text: "Hello." }] });
 * const reactor = faultyReactor(sound, { kind: "throw", at: 1 }, ({ ids }) => ids.attempt === 1);
 * console.log(reactor.name); // scripted
 * ```
 */
export function faultyReactor(
  reactor: Reactor,
  fault: ReactorFault,
  when: (input: ReactorInput) => boolean = () => true,
): Reactor {
  return {
    contract: reactor.contract,
    name: reactor.name,
    ...(reactor.runsActions === undefined ? {} : { runsActions: reactor.runsActions }),
    react: (input) => (when(input) ? withFault(reactor.react(input), fault, input.signal) : reactor.react(input)),
  };
}

async function* withFault(
  answer: AsyncIterable<ReactorEvent>,
  fault: ReactorFault,
  signal: AbortSignal,
): AsyncGenerator<ReactorEvent, void, undefined> {
  let index = 0;
  for await (const event of answer) {
    if ("at" in fault && index === fault.at) {
      if (fault.kind === "throw")
        throw fault.error ?? new HebraError("REACTOR_FAILED", `A fault was planted at event ${index}.`);
      if (fault.kind === "end") return;
      await aborted(signal);
      throw abortedError(signal);
    }
    index++;
    if (fault.kind === "drop" && event.type === fault.type) continue;
    yield event;
    if (fault.kind === "duplicate-finish" && event.type === "finish") yield event;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
