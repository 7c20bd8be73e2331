export { getThreadEnv, registerThreadEnv } from "./call/env.ts";
export {
  configureRuntime,
  getThreadRuntime,
  type LegacyRuntimeConfig,
  type LegacyRuntimeParts,
  type LegacyThreadStore as ThreadStore,
  type ThreadRuntime,
} from "./call/runtime.ts";
export type { ThreadEnvironment } from "./call/types.ts";
