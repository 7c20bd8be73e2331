export { createCodexThreadBuilder, DEFAULT_CODEX_TOOL_NAME, didCodexToolExecute } from "./call/not-carried.ts";
