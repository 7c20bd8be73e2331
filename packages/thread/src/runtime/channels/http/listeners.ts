import { HebraError } from "@hebra/core";

/** Events that a stream keeps for a slow reader, before it is cut. */
const MAX_STREAM_BUFFER = 256;

/** The open event streams of a channel, by place. */
export interface Listeners {
  /** A stream of server-sent events that ends with its reader. */
  open(place: string): ReadableStream<Uint8Array>;
  tell(place: string, event: string, data: object): void;
}

export function createListeners(): Listeners {
  const places = new Map<string, Set<(event: string, data: object) => void>>();
  const encoder = new TextEncoder();
  return {
    tell(place, event, data) {
      for (const listener of [...(places.get(place) ?? [])]) listener(event, data);
    },
    open(place) {
      let leave = () => {};
      return new ReadableStream<Uint8Array>(
        {
          start(controller) {
            const set = places.get(place) ?? new Set();
            const listener = (event: string, data: object) => {
              // A reader that does not read is cut off: what it missed is in the thread's history.
              if ((controller.desiredSize ?? 0) <= 0) {
                leave();
                return controller.error(new HebraError("TIMEOUT", "The reader was too slow."));
              }
              controller.enqueue(encoder.encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
            };
            leave = () => {
              set.delete(listener);
              if (set.size === 0 && places.get(place) === set) places.delete(place);
            };
            places.set(place, set.add(listener));
            controller.enqueue(encoder.encode(": connected\n\n"));
          },
          cancel: () => leave(),
        },
        { highWaterMark: MAX_STREAM_BUFFER },
      );
    },
  };
}
