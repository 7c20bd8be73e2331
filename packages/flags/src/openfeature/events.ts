import { errorMessage } from "@hebra/core";
import type { ProviderEventEmitter } from "@openfeature/core";
import type { ServerProviderEvents } from "@openfeature/server-sdk";

type Emitter = ProviderEventEmitter<ServerProviderEvents>;
type Handler = (details?: Record<string, unknown>) => unknown;

/** What the SDK asks of a provider's events, without loading the SDK. @internal */
export function createProviderEvents(): {
  emitter: Emitter;
  emit(event: `${ServerProviderEvents}`, details?: Record<string, unknown>): void;
} {
  const handlers = new Map<string, Set<Handler>>();
  let warn: (message: string) => void = () => {};
  const emit = (event: string, details?: Record<string, unknown>) => {
    for (const handler of [...(handlers.get(event) ?? [])]) {
      void (async () => handler(details))().catch((error: unknown) =>
        warn(`A handler of ${event} threw: ${errorMessage(error)}`),
      );
    }
  };
  const emitter = {
    emit,
    addHandler(event: string, handler: Handler) {
      handlers.set(event, (handlers.get(event) ?? new Set()).add(handler));
    },
    removeHandler: (event: string, handler: Handler) => void handlers.get(event)?.delete(handler),
    removeAllHandlers: (event?: string) => (event === undefined ? handlers.clear() : void handlers.delete(event)),
    getHandlers: (event: string) => [...(handlers.get(event) ?? [])],
    setLogger(logger: { warn(message: string): void }) {
      warn = (message) => logger.warn(message);
      return emitter;
    },
  };
  return { emitter: emitter as unknown as Emitter, emit };
}
