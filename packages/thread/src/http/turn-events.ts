import type { TurnHandle } from "../engine/handle.ts";
import { cursorOf } from "../stream/cursor.ts";
import type { ThreadEvent } from "../stream/envelope.ts";
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
  { after, accepted, onEnd }: { after?: string | undefined; accepted?: object; onEnd(): void },
): Response {
  return eventStream(shown(turn, caller, after, accepted), { clock: host.clock, heartbeatMs: host.heartbeatMs, onEnd });
}

async function* shown(
  turn: TurnHandle,
  caller: ThreadCaller,
  after: string | undefined,
  accepted: object | undefined,
): AsyncGenerator<ServerSentEvent, void, void> {
  const seesState = caller.can.includes("operate");
  let last: ThreadEvent | undefined;
  let lastShown: ThreadEvent | undefined;
  const events = turn.events(after === undefined ? {} : { after });
  if (accepted !== undefined) yield { event: "accepted", data: accepted };
  for await (const event of events) {
    last = event;
    if (withState.has(event.type) && !seesState) continue;
    lastShown = event;
    yield sent(event);
  }
  if (last === undefined) for await (const event of turn.stream) last = event;
  // Every stream says how it ends, also to a client that has seen the turn's last event before.
  if (last !== undefined && ends.has(last.type)) {
    if (last !== lastShown) yield sent(last);
  } else yield { event: "stream-closed", data: { executionId: turn.executionId } };
}

/** A client that comes back with an event's id gets those after it. The last one of a closed stream stands nowhere. */
const sent = (event: ThreadEvent): ServerSentEvent => ({
  ...(event.type === "stream-closed" ? {} : { id: cursorOf(event) }),
  event: event.type,
  data: event,
});
