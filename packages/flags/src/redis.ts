export { redisFlagWriter, redisProvider, type RedisFlagsOptions, type RedisFlagWriter, type RedisProviderOptions } from "./provider/redis/redis-provider.ts";
export type { IoredisClient, RedisConnection } from "./provider/redis/connection.ts";
