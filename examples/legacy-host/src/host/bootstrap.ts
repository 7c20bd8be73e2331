// A file of the old application: where it says what an environment means.
import { configureRuntime } from "@old-engine/domain/runtime";
import { threadDomain } from "@old-engine/thread";
import { openDatabase } from "../database.ts";
import type { DeskEnv } from "./desk.ts";
import "./greeter.ts";

configureRuntime({
  domain: { domain: threadDomain },
  runtime: async (env: DeskEnv) => openDatabase(env.orgId),
});
