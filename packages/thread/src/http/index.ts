export type { ThreadCaller, ThreadRight } from "./caller.ts";
export { createThreadHandler } from "./handler.ts";
export { nodeListener } from "./node-listener.ts";
export type { ThreadHandlerLimits, ThreadHandlerOptions } from "./options.ts";
