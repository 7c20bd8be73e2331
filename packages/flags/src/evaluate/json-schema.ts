import * as z from "zod";
import { rolloutsSchema } from "./document.ts";

/** The JSON Schema of the `rollouts` map, as `schema/rollouts.schema.json` holds it. */
export function rolloutsJsonSchema(): string {
  const schema = z.toJSONSchema(rolloutsSchema, { target: "draft-7", io: "input" });
  const { $schema, ...rest } = schema;
  const document = {
    $schema,
    $id: "urn:hebra:schema:v0:rollouts",
    title: "Hebra rollouts",
    description:
      "The `rollouts` map that stands beside `flags` in flagd's flags.json: one entry a flag, and `*` for kills of all flags.",
    ...rest,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}
