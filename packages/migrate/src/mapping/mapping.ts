import { digest, HebraError, type JsonObject, type JsonValue } from "@hebra/core";

/** What becomes of a field whose source is missing. */
export type OnMissing = "reject" | { default: JsonValue } | { derive: string };

/** How a value is read and checked. `id` is a string that every store can keep as an id or key, and never repaired. */
export type ValueKind = "id" | "string" | "number" | "boolean" | "timestamp" | "json" | "object";

/** One field of a target row. */
export interface FieldRule {
  /** Paths into the source row, dots between members; the first that is present counts. */
  from: readonly string[];
  kind: ValueKind;
  /** Source value to target value; a value that is not listed is refused, unless `"*"` is. */
  values?: Readonly<Record<string, JsonValue>>;
  onMissing: OnMissing;
}

/** A field that points at another row. */
export interface LinkRule {
  /** Paths of the id in the source row: a string, or an object or list with an `id`. */
  from: readonly string[];
  /** The source entity that it points at. */
  entity: string;
  onMissing: "reject" | { default: null } | { derive: string };
}

/** How rows of one entity become rows of another. */
export interface EntityMapping {
  from: string;
  to: string;
  /** Where the row's id comes from; the last resort is a UUIDv5 of the source's id. */
  id: { from: readonly string[]; onMissing: "reject" | { derive: string } };
  fields: Readonly<Record<string, FieldRule>>;
  links: Readonly<Record<string, LinkRule>>;
}

/** A pure function that a mapping names. */
export type Derivation = (row: JsonObject) => JsonValue;

/** How one model becomes another: data, so that it can be hashed, printed and compared. */
export interface Mapping {
  readonly name: string;
  /** Raise it whenever a derivation changes what it gives: functions are hashed by name and this version alone. */
  readonly version: number;
  readonly entities: readonly EntityMapping[];
  readonly derivations: Readonly<Record<string, Derivation>>;
}

/**
 * Checks a mapping.
 *
 * @throws HebraError `MAPPING_INVALID` when two rules write the same entity from the same source, or a derivation is
 * missing.
 */
export function defineEntities(mapping: Mapping): Mapping {
  const seen = new Set<string>();
  for (const entity of mapping.entities) {
    const name = `${entity.from} → ${entity.to}`;
    if (seen.has(name)) throw invalid(mapping, `${name} is defined twice`);
    seen.add(name);
    for (const [field, rule] of [
      ["id", entity.id],
      ...Object.entries(entity.fields),
      ...Object.entries(entity.links),
    ] as const) {
      const missing = rule.onMissing;
      if (typeof missing === "object" && "derive" in missing && mapping.derivations[missing.derive] === undefined) {
        throw invalid(mapping, `${name}.${field} names the derivation ${missing.derive}, which does not exist`);
      }
      if (rule.from.length === 0 && missing === "reject")
        throw invalid(mapping, `${name}.${field} has no source and nothing in its place`);
    }
  }
  return mapping;
}

/** A digest of everything that a mapping says. */
export function mappingHash(mapping: Mapping): string {
  return digest({
    name: mapping.name,
    version: mapping.version,
    entities: mapping.entities as unknown as JsonValue,
    derivations: Object.keys(mapping.derivations).sort(),
  });
}

function invalid(mapping: Mapping, what: string): HebraError {
  return new HebraError("MAPPING_INVALID", `The mapping ${mapping.name}: ${what}.`, {
    details: { mapping: mapping.name },
  });
}
