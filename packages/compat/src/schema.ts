export { threadDomain } from "./call/not-carried.ts";
