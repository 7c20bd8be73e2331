/** The Redis that tests are given, if any. */
export const redisUrl = process.env["REDIS_URL"] ?? "";
export const withoutRedis = redisUrl === "";
