import { HebraError, type JsonValue } from "@hebra/core";

/** Something that the shadowed engine wanted to do to the world. */
export interface RecordedEffect {
  /** The port: `mail`, `orders`. */
  readonly port: string;
  readonly method: string;
  readonly args: readonly unknown[];
}

/** How a method of a port behaves in shadow. */
export type PortBehaviour =
  /** The call is recorded and answered with this, or with what this makes of the arguments. */
  | { readonly answer: JsonValue | ((...args: never[]) => unknown) }
  /** The call reads only and goes through. */
  | "read";

/** A port whose every call is either a declared read or recorded. */
export interface RecordingPort<T> {
  /** What the shadowed engine gets in place of the real one. */
  readonly port: T;
  readonly effects: readonly RecordedEffect[];
}

/**
 * Wraps a side-effect port, so that in shadow nothing happens: a method that is not declared is recorded and refused,
 * whatever it is called. What is
 * written cannot leak by having been forgotten.
 *
 * @param name - for the records.
 * @param real - the port; only methods declared `read` reach it.
 * @param behaviours - by method.
 *
 * @example
 * ```ts
 * import { recordingPort } from "@hebra/flags/shadow";
 *
 * const mail = { send: async (to: string) => `sent to ${to}` };
 * const { port, effects } = recordingPort("mail", mail, { send: { answer: "not sent" } });
 * console.log(await port.send("ada@example.com"), effects.length); // not sent 1
 * ```
 */
export function recordingPort<T extends object>(
  name: string,
  real: T,
  behaviours: Readonly<Partial<Record<keyof T & string, PortBehaviour>>>,
): RecordingPort<T> {
  const effects: RecordedEffect[] = [];
  const port = new Proxy(real, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property);
      if (typeof value !== "function")
        return typeof value === "object" && value !== null ? Object.freeze(structuredClone(value)) : value;
      const method = String(property);
      const behaviour =
        typeof property === "string" && Object.hasOwn(behaviours, property)
          ? behaviours[property as keyof T & string]
          : undefined;
      if (behaviour === "read") return value.bind(target) as unknown;
      return (...args: unknown[]) => {
        effects.push({ port: name, method, args: safeClone(args) });
        if (behaviour === undefined)
          throw new HebraError(
            "UNSUPPORTED",
            `\`${name}.${method}\` is not declared for shadow runs: nothing was done.`,
          );
        const answer = behaviour.answer;
        const result = typeof answer === "function" ? (answer as (...args: unknown[]) => unknown)(...args) : answer;
        return value.constructor.name === "AsyncFunction" ? Promise.resolve(result) : result;
      };
    },
    set(_, property) {
      effects.push({ port: name, method: `set ${String(property)}`, args: [] });
      return true;
    },
    deleteProperty(_, property) {
      effects.push({ port: name, method: `delete ${String(property)}`, args: [] });
      return true;
    },
    defineProperty(_, property) {
      effects.push({ port: name, method: `define ${String(property)}`, args: [] });
      return true;
    },
  });
  return { port, effects };
}

function safeClone(args: readonly unknown[]): readonly unknown[] {
  try {
    return structuredClone(args) as unknown[];
  } catch {
    return args.map(String);
  }
}
