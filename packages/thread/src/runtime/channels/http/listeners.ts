import { HebraError } from "@hebra/core";

/** Events that a stream keeps for a slow reader, before it is cut. */
const MAX_STREAM_BUFFER = 256;

/** The open event streams of a channel, by place. */
export interface Listeners {
  /** A stream of server-sent events that ends with its reader; nothing when there are as many as there may be. */
  open(place: string): ReadableStream<Uint8Array> | undefined;
  tell(place: string, event: string, data: object): void;
}

/** @param limits - open streams of one place, and of all */
export function createListeners(limits: { perPlace: number; inAll: number }): Listeners {
  let count = 0;
  const places = new Map<string, Set<(event: string, data: object) => void>>();
  const encoder = new TextEncoder();
  return {
    tell(place, event, data) {
      for (const listener of [...(places.get(place) ?? [])]) listener(event, data);
    },
    open(place) {
      if (count >= limits.inAll || (places.get(place)?.size ?? 0) >= limits.perPlace) return undefined;
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
            count++;
            leave = () => {
              if (set.delete(listener)) count--;
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
