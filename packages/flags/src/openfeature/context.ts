import type { EvaluationContext } from "@openfeature/core";
import type { FlagContext, Unit } from "../evaluate/types.ts";

/**
 * OpenFeature's context as ours: `targetingKey` is the flag's unit, `session`, `project` and `org` are attributes of
 * their names. @internal
 */
export function toFlagContext(context: EvaluationContext, unit: Unit): FlagContext {
  const { targetingKey, session, project, org, ...attributes } = context;
  const ids: Partial<Record<Unit, string>> = {};
  for (const [name, id] of Object.entries({ session, project, org }))
    if (typeof id === "string") ids[name as Unit] = id;
  if (typeof targetingKey === "string") ids[unit] ??= targetingKey;
  return { ...ids, attributes };
}

/** Our context as OpenFeature's. @internal */
export function toEvaluationContext({ session, project, org, attributes }: FlagContext): EvaluationContext {
  const targetingKey = session ?? project ?? org;
  return {
    ...(attributes as EvaluationContext | undefined),
    ...(targetingKey === undefined ? {} : { targetingKey }),
    ...(session === undefined ? {} : { session }),
    ...(project === undefined ? {} : { project }),
    ...(org === undefined ? {} : { org }),
  };
}
