export {
  redisFlagWriter,
  redisProvider,
  type RedisFlagsOptions,
  type RedisFlagWriter,
  type RedisProviderOptions,
} from "./provider/redis/redis-provider.ts";
export type { IoredisClient, RedisConnection } from "./provider/redis/connection.ts";
export { redisAssignments, type RedisAssignmentsOptions } from "./route/redis-assignments.ts";
export { redisRolloutStore, type RedisRolloutStoreOptions } from "./rollout/store/redis.ts";
