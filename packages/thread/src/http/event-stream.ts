import { errorCode, type Clock } from "@hebra/core";

/** One server-sent event. */
export interface ServerSentEvent {
  /** Comes back as `Last-Event-ID`. */
  id?: string;
  event: string;
  data: object;
}

const encoder = new TextEncoder();
const encoded = ({ id, event, data }: ServerSentEvent) =>
  encoder.encode(`${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
const HEARTBEAT = encoder.encode(": keep-alive\n\n");

/**
 * Events as an answer. The source is read as fast as the client reads, so a slow client holds no more than one event
 * here. A source that fails ends with `stream-closed`.
 *
 * @param options - `onEnd`: called once, however the stream ends
 */
export function eventStream(
  source: AsyncIterable<ServerSentEvent>,
  { clock, heartbeatMs, onEnd }: { clock: Clock; heartbeatMs: number; onEnd(): void },
): Response {
  const events = source[Symbol.asyncIterator]();
  let next: Promise<IteratorResult<ServerSentEvent>> | undefined;

  async function pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    next ??= events.next();
    const found = await orHeartbeat(next, clock, heartbeatMs);
    if (found === undefined) return controller.enqueue(HEARTBEAT);
    next = undefined;
    if (found.done !== true) return controller.enqueue(encoded(found.value));
    controller.close();
    onEnd();
  }

  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        await pull(controller);
      } catch (error) {
        controller.enqueue(encoded({ event: "stream-closed", data: { code: errorCode(error) ?? "INTERNAL" } }));
        controller.close();
        onEnd();
      }
    },
    cancel() {
      onEnd();
      next?.catch(() => undefined);
      void events.return?.().catch(() => undefined);
    },
  });
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" },
  });
}

/** @returns nothing when the time is up first */
function orHeartbeat<T>(wanted: Promise<T>, clock: Clock, ms: number): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = clock.after(ms, () => resolve(undefined));
    wanted.then(
      (value) => {
        stop();
        resolve(value);
      },
      (error: unknown) => {
        stop();
        reject(error as Error);
      },
    );
  });
}
