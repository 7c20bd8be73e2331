import { createEventOrder, type EventOrderOptions } from "./event-order.ts";
import type { ReactorEvent } from "./events.ts";
import type { Reactor, ReactorInput } from "./reactor.ts";

/**
 * Checks a complete recorded answer.
 *
 * @throws HebraError `REACTOR_PROTOCOL` at the first event that breaks the order of `reactor-v1`, or when `finish` is
 * missing.
 */
export function assertEventOrder(events: Iterable<ReactorEvent>, options?: EventOrderOptions): void {
  const order = createEventOrder(options);
  for (const event of events) order.accept(event);
  order.end();
}

/**
 * Passes events on and checks their order on the way. The source is told to stop when its consumer stops, and when it
 * broke
 * the order.
 *
 * @throws HebraError `REACTOR_PROTOCOL`, in place of the event that broke the order.
 */
export async function* checkEvents(
  events: AsyncIterable<ReactorEvent>,
  options?: EventOrderOptions,
): AsyncGenerator<ReactorEvent, void, undefined> {
  const order = createEventOrder(options);
  for await (const event of events) {
    order.accept(event);
    yield event;
  }
  order.end();
}

/**
 * The same reactor with {@link checkEvents} around every answer: for reactors under development.
 *
 * @example
 * ```ts
 * import { scriptedReactor, validated } from "@hebra/reactor";
 *
 * const reactor = validated(scriptedReactor({ steps: [{ text: "Hello." }] }));
 * console.log(reactor.name); // scripted
 * ```
 */
export function validated(reactor: Reactor): Reactor {
  return {
    contract: reactor.contract,
    name: reactor.name,
    ...(reactor.runsActions === undefined ? {} : { runsActions: reactor.runsActions }),
    react: (input) => checkEvents(reactor.react(input), { calls: allowed(input) }),
  };
}

/** The reactor's own calls that a person has allowed: they are to get their results in this answer. */
function allowed({ decisions = [] }: ReactorInput) {
  return decisions.flatMap(({ callId, decision }) => (decision === "approved" ? [[callId, "owned"] as const] : []));
}
