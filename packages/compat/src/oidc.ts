export { verifyOidcToken } from "./call/not-carried-subpaths.ts";
