import type { Snapshot } from "../../store/store.ts";
import type * as z from "zod";
import { parseCursor } from "../../stream/cursor.ts";
import { executionIn, threadAt } from "../lookup.ts";
import { route, type Call } from "../route.ts";
import { eventsQuery } from "../schemas.ts";
import { turnEvents } from "../turn-events.ts";
import { takeSlot } from "./messages.ts";

type EventsCall = Call<z.output<typeof eventsQuery>, unknown>;

/** Events of the journal that are read at once in search of a turn. */
const PAGE = 64;

export const getEvents = route({
  method: "GET",
  path: "/threads/{key}/events",
  operationId: "getEvents",
  summary:
    "Streams a turn: the one that is named, the one after `after` or `Last-Event-ID`, else the one that runs or waits. The last event is `execution-ended`, `execution-waiting` or `stream-closed`.",
  right: "read",
  query: eventsQuery,
  answers: {
    200: { description: "Server-sent events.", stream: true },
    204: { description: "There is no turn to follow." },
  },
  async serve(call) {
    const { host, caller } = call;
    const after = cursorOf(call);
    const seq = after === undefined ? undefined : parseCursor(after).seq;
    const snapshot = await threadAt(call, call.query.contextId);
    const executionId = await turnToFollow(call, snapshot, seq);
    if (executionId === undefined) return new Response(null, { status: 204 });
    const release = takeSlot(call);
    try {
      const turn = await host.engine.follow(executionId, { tenant: caller.tenant });
      return turnEvents(call, turn, { after, onEnd: release });
    } catch (error) {
      release();
      throw error;
    }
  },
});

/** @throws HebraError `INVALID_OPTIONS` */
function cursorOf({ query, request }: EventsCall): string | undefined {
  const last = request.headers.get("last-event-id");
  // A browser that reconnects repeats the URL: its header is newer.
  return last === null || last === "" ? query.after : last;
}

async function turnToFollow(
  call: EventsCall,
  snapshot: Snapshot,
  after: number | undefined,
): Promise<string | undefined> {
  const { executionId } = call.query;
  if (executionId !== undefined) return (await executionIn(call, snapshot, executionId)).execution.id;
  const next = after === undefined ? undefined : await turnAfter(call, snapshot, after);
  return next ?? snapshot.active?.execution.id ?? snapshot.queued[0]?.execution.id;
}

/** The turn of the next event after a place in the journal. */
async function turnAfter({ host, caller }: EventsCall, { context }: Snapshot, after: number) {
  for (let cursor = after; ;) {
    const events = await host.store.journal(caller.tenant, context.id, cursor, PAGE);
    const found = events.find(({ executionId }) => executionId !== null);
    if (found !== undefined) return found.executionId ?? undefined;
    if (events.length < PAGE) return undefined;
    cursor = events.at(-1)!.seq;
  }
}
