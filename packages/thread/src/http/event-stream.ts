import { errorCode, type Clock } from "@hebra/core";

/** One server-sent event. */
export interface ServerSentEvent {
  /** Comes back as `Last-Event-ID`. */
  id?: string;
  event: string;
  data: object;
}

/** How a stream of server-sent events is kept open, and how it ends. */
export interface StreamOptions {
  clock: Clock;
  heartbeatMs: number;
  /** Called once, however the stream ends. @param left - the client went away before the end */
  onEnd(left: boolean): void;
}

const encoder = new TextEncoder();
const encoded = ({ id, event, data }: ServerSentEvent) =>
  `${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
const HEARTBEAT = encoder.encode(": keep-alive\n\n");

/** Events as an answer. A source that fails ends with `stream-closed`. */
export function eventStream(source: AsyncIterable<ServerSentEvent>, options: StreamOptions): Response {
  return textStream(mapped(source, encoded), {
    ...options,
    failed: (error) => encoded({ event: "stream-closed", data: { code: errorCode(error) ?? "INTERNAL" } }),
  });
}

/**
 * Texts of the form of server-sent events as an answer. The source is read as fast as the client reads, so a slow
 * client holds no more than one text here.
 *
 * @param options - `failed`: the last text of a source that fails
 */
export function textStream(
  source: AsyncIterable<string>,
  {
    clock,
    heartbeatMs,
    onEnd,
    failed,
    headers = {},
  }: StreamOptions & {
    failed(error: unknown): string;
    headers?: Record<string, string>;
  },
): Response {
  const texts = source[Symbol.asyncIterator]();
  let next: Promise<IteratorResult<string>> | undefined;

  async function pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    next ??= texts.next();
    const found = await orHeartbeat(next, clock, heartbeatMs);
    if (found === undefined) return controller.enqueue(HEARTBEAT);
    next = undefined;
    if (found.done !== true) return controller.enqueue(encoder.encode(found.value));
    controller.close();
    onEnd(false);
  }

  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        await pull(controller);
      } catch (error) {
        controller.enqueue(encoder.encode(failed(error)));
        controller.close();
        onEnd(false);
      }
    },
    cancel() {
      onEnd(true);
      next?.catch(() => undefined);
      void texts.return?.().catch(() => undefined);
    },
  });
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
      ...headers,
    },
  });
}

async function* mapped<T, U>(source: AsyncIterable<T>, map: (value: T) => U): AsyncGenerator<U, void, void> {
  for await (const value of source) yield map(value);
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
