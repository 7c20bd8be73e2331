export type { FileContent, ReadFile } from "./files.ts";
export { toModelMessages } from "./messages.ts";
export type { AiSdkReactorOptions } from "./options.ts";
export type { PromptOptions } from "./prompt-options.ts";
export { aiSdkReactor } from "./reactor.ts";
export type { PriceUsage } from "./usage.ts";
