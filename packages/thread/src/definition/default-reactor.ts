import type { Reactor } from "@hebra/reactor";
import type { AnyThreadDefinition } from "./define-thread.ts";

let shared: Promise<Reactor> | undefined;

/**
 * The AI SDK reactor, for definitions that name none. It is loaded when it is first needed, so that whoever brings a
 * reactor of their own needs no `ai`.
 *
 * @throws HebraError `PEER_MISSING` when `ai` is not installed.
 */
export function defaultReactor(_definition: AnyThreadDefinition): Promise<Reactor> {
  shared ??= import("@hebra/reactor/ai-sdk").then(({ aiSdkReactor }) => aiSdkReactor());
  shared.catch(() => (shared = undefined));
  return shared;
}
