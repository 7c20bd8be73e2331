import type { JsonObject, JsonValue } from "@hebra/core";

/** Beside one of these an object has members that its own `properties` do not name. */
const applicators = ["allOf", "anyOf", "oneOf", "if", "$ref"] as const;
const schemaLists = ["anyOf", "oneOf", "items", "prefixItems"] as const;
const schemaMaps = ["properties", "definitions", "$defs", "patternProperties"] as const;

/**
 * A copy in which every object that says nothing of further members says that it has none. Objects inside `allOf` stay
 * open,
 * since closed ones would shut out each other's members, and so do those of conditions and negations.
 */
export function closeObjects(schema: JsonObject): JsonObject {
  const copy: JsonObject = { ...schema };
  if (
    isObjectType(copy["type"]) &&
    copy["additionalProperties"] === undefined &&
    !applicators.some((key) => key in copy)
  )
    copy["additionalProperties"] = false;
  else if (isSchema(copy["additionalProperties"]))
    copy["additionalProperties"] = closeObjects(copy["additionalProperties"]);
  if (isSchema(copy["items"])) copy["items"] = closeObjects(copy["items"]);
  for (const key of schemaLists) {
    const value = copy[key];
    if (Array.isArray(value)) copy[key] = value.map(closed);
  }
  for (const key of schemaMaps) {
    const value = copy[key];
    if (isSchema(value))
      copy[key] = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, closed(member)]));
  }
  return copy;
}

const closed = (value: JsonValue): JsonValue => (isSchema(value) ? closeObjects(value) : value);

function isSchema(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isObjectType(type: JsonValue | undefined): boolean {
  return type === "object" || (Array.isArray(type) && type.includes("object"));
}
