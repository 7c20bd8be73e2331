import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { rolloutsJsonSchema } from "../src/evaluate/json-schema.ts";

writeFileSync(join(import.meta.dirname, "../schema/rollouts.schema.json"), rolloutsJsonSchema());
