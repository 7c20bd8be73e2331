export { useThread } from "./call/not-carried.ts";
