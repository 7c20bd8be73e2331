import { HebraError } from "@hebra/core";
import type { AnyThreadDefinition } from "../definition/define-thread.ts";
import type { ChannelMessage } from "./channel.ts";

/** A message on its way to whoever answers it. */
export interface RoutedMessage extends ChannelMessage {
  tenant: string;
  session: string;
  channel: string;
}

/** Who answers: a definition of this runtime, or the host's older engine. */
export type Route =
  | { thread: string }
  | {
      /** Answers by other means, under the conversation's lease. It may be called again for the same message. */
      answer(message: RoutedMessage, options: { fence: number; signal: AbortSignal }): Promise<readonly string[]>;
    };

/** Chooses, for each message, who answers. The choice must be sticky for a session: see `@hebra/flags`. */
export type Router = (message: RoutedMessage) => Route | Promise<Route>;

/** Routes by the message's own wish, or to the only definition there is. */
export function defaultRouter(threads: readonly AnyThreadDefinition[]): Router {
  return (message) => {
    if (message.thread !== undefined) return { thread: message.thread };
    const [only, ...more] = threads;
    if (only !== undefined && more.length === 0) return { thread: only.name };
    throw new HebraError(
      "DEFINITION_MISSING",
      `The message ${message.id} names no thread definition, and this runtime has ${threads.length}. Set \`thread\` on the message, or pass \`route\`.`,
      { retryable: false },
    );
  };
}
