import { rolloutsOf } from "./form.fixture.ts";

const { REDIS_URL, DATABASE_URL } = process.env;

rolloutsOf("gateway and two workers, store on Postgres", 1, {
  skip: REDIS_URL === undefined || DATABASE_URL === undefined,
});
