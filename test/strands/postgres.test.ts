import { postgresStore } from "@hebra/thread/store/postgres";
import { nothingStrands } from "./strands.fixture.ts";

const connectionString = process.env["DATABASE_URL"];

nothingStrands(
  "postgres",
  connectionString === undefined
    ? undefined
    : () => postgresStore({ connectionString, schema: "strands", migrations: "automatic" }),
);
