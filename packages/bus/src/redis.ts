export type { BlockingConnection, IoredisClient, RedisCommands } from "./redis/commands.ts";
export type { RedisConnection } from "./redis/connect.ts";
export { redisBus, type RedisBus, type RedisBusOptions } from "./redis/redis-bus.ts";
