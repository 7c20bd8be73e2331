import type { TurnHandle } from "../engine/handle.ts";
import { isDurable, type ThreadEvent } from "../stream/envelope.ts";
import type { ThreadCaller } from "./caller.ts";
import { eventStream, type ServerSentEvent } from "./event-stream.ts";
import type { Host } from "./route.ts";

/** What a stream ends with. */
const ends = new Set<string>(["execution-ended", "execution-waiting", "stream-closed"]);
/** Events that carry the state document. */
const withState = new Set<string>(["context-created", "context-changed"]);

/** A turn's events as an answer. */
export function turnEvents(
  { host, caller }: { host: Host; caller: ThreadCaller },
  turn: TurnHandle,
  { after = -1, accepted, onEnd }: { after?: number | undefined; accepted?: object; onEnd(): void },
): Response {
  return eventStream(shown(turn, caller, after, accepted), { clock: host.clock, heartbeatMs: host.heartbeatMs, onEnd });
}

async function* shown(
  turn: TurnHandle,
  caller: ThreadCaller,
  after: number,
  accepted: object | undefined,
): AsyncGenerator<ServerSentEvent, void, void> {
  const seesState = caller.can.includes("operate");
  let last: ThreadEvent | undefined;
  let lastShown: ThreadEvent | undefined;
  // Deltas are not kept: the turn is listened to before the client has read that it was accepted.
  const events = started(turn.stream);
  if (accepted !== undefined) yield { event: "accepted", data: accepted };
  for await (const event of events) {
    last = event;
    if (isDurable(event) && event.seq <= after) continue;
    if (withState.has(event.type) && !seesState) continue;
    lastShown = event;
    yield sent(event);
  }
  // Every stream says how it ends, also to a client that has seen the turn's last event before.
  if (last !== undefined && ends.has(last.type)) {
    if (last !== lastShown) yield sent(last);
  } else yield { event: "stream-closed", data: { executionId: turn.executionId } };
}

/** Asks for the first event at once: deltas are not kept. */
export function started<T>(source: AsyncIterable<T>): AsyncIterable<T> {
  const iterator = source[Symbol.asyncIterator]();
  let first: Promise<IteratorResult<T>> | undefined = iterator.next();
  first.catch(() => undefined);
  return {
    [Symbol.asyncIterator]: () => ({
      next() {
        const next = first ?? iterator.next();
        first = undefined;
        return next;
      },
      return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
    }),
  };
}

/** Only durable events have an id: a client that comes back gets those after it. */
const sent = (event: ThreadEvent): ServerSentEvent => ({
  ...(isDurable(event) ? { id: String(event.seq) } : {}),
  event: event.type,
  data: event,
});
