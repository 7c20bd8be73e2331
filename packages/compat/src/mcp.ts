export { createMcpHandler, withMcpAuth } from "./call/not-carried-subpaths.ts";
