import { rolloutsOf } from "./form.fixture.ts";

rolloutsOf("gateway and two workers, store on Redis", 1, { skip: process.env["REDIS_URL"] === undefined });
