import { redisStore } from "@hebra/thread/store/redis";
import { nothingStrands } from "./strands.fixture.ts";

const url = process.env["REDIS_URL"];

nothingStrands("redis", url === undefined ? undefined : () => redisStore({ url, namespace: "strands" }));
