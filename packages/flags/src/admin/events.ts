import type { Clock } from "@hebra/core";

/** Server-sent events that say no more than that something changed: whoever listens reads again. */
export interface ChangeStream {
  changed(): void;
  /** An open stream; ends with the request. */
  open(signal: AbortSignal): Response;
  /** Ends all streams. */
  close(): void;
}

const KEEP_ALIVE_MS = 15_000;

/** @internal */
export function createChangeStream(clock: Clock): ChangeStream {
  const open = new Set<{ send: (text: string) => void; end: () => void }>();
  let sequence = 0;
  return {
    changed() {
      sequence++;
      for (const one of open) one.send(`id: ${sequence}\nevent: change\ndata: {}\n\n`);
    },
    open(signal) {
      const encoder = new TextEncoder();
      let cancel = () => {};
      let end = () => {};
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          const one = {
            send: (text: string) => controller.enqueue(encoder.encode(text)),
            end() {
              open.delete(one);
              cancel();
              signal.removeEventListener("abort", one.end);
              try {
                controller.close();
              } catch {
                // The reader was faster.
              }
            },
          };
          end = () => one.end();
          const beat = () => {
            one.send(": still here\n\n");
            cancel = clock.after(KEEP_ALIVE_MS, beat);
          };
          open.add(one);
          signal.addEventListener("abort", one.end, { once: true });
          one.send("retry: 1000\n\n");
          cancel = clock.after(KEEP_ALIVE_MS, beat);
        },
        cancel: () => end(),
      });
      return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
    },
    close() {
      for (const one of [...open]) one.end();
    },
  };
}
