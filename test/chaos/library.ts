/** What this run takes from a release other than its own. */
export { redisBus } from "@hebra/bus/redis";
export { openRuntime } from "@hebra/thread/runtime";
