import { readDeploy, yamlDocuments } from "./files.ts";

/** What all Kubernetes objects have. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
}

/** Every manifest, that of the migrations before a deploy among them. */
export const manifestNames = [
  "namespace",
  "config",
  "network",
  "gateway",
  "worker",
  "scaling",
  "monitoring",
  "migrations",
] as const;

export const kubernetesManifests = (): Manifest[] =>
  manifestNames.flatMap((name) => yamlDocuments(readDeploy(`kubernetes/${name}.yaml`)) as Manifest[]);

/** The one object of a kind and a name. @throws Error when there is none, or are several */
export function manifest<T>(all: readonly Manifest[], kind: string, name: string): T {
  const found = all.filter((one) => one.kind === kind && one.metadata.name === name);
  if (found.length !== 1) throw new Error(`${found.length} objects are ${kind} ${name}`);
  return found[0] as T;
}
