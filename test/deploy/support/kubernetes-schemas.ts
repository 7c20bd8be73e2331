import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject";
import { PodMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor";
import { Deployment } from "kubernetes-models/apps/v1/Deployment";
import { Job } from "kubernetes-models/batch/v1/Job";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import { ConfigMap } from "kubernetes-models/v1/ConfigMap";
import { Namespace } from "kubernetes-models/v1/Namespace";
import { Service } from "kubernetes-models/v1/Service";
import ts from "typescript";
import { root } from "../../../scripts/lib/paths.mjs";
import type { Manifest } from "./manifests.ts";

/**
 * A kind's validator, made of its OpenAPI schema or of its custom resource definition, and the module that has its
 * type.
 */
interface Kind {
  module: string;
  make: (data: never) => { validate(): void };
}

const kinds: Readonly<Record<string, Kind>> = {
  "v1 Namespace": { module: "kubernetes-models/v1/Namespace", make: (data) => new Namespace(data) },
  "v1 ConfigMap": { module: "kubernetes-models/v1/ConfigMap", make: (data) => new ConfigMap(data) },
  "v1 Service": { module: "kubernetes-models/v1/Service", make: (data) => new Service(data) },
  "apps/v1 Deployment": { module: "kubernetes-models/apps/v1/Deployment", make: (data) => new Deployment(data) },
  "batch/v1 Job": { module: "kubernetes-models/batch/v1/Job", make: (data) => new Job(data) },
  "policy/v1 PodDisruptionBudget": {
    module: "kubernetes-models/policy/v1/PodDisruptionBudget",
    make: (data) => new PodDisruptionBudget(data),
  },
  "networking.k8s.io/v1 NetworkPolicy": {
    module: "kubernetes-models/networking.k8s.io/v1/NetworkPolicy",
    make: (data) => new NetworkPolicy(data),
  },
  "keda.sh/v1alpha1 ScaledObject": {
    module: "@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject",
    make: (data) => new ScaledObject(data),
  },
  "monitoring.coreos.com/v1 PodMonitor": {
    module: "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor",
    make: (data) => new PodMonitor(data),
  },
};

const kindOf = ({ apiVersion, kind }: Manifest): Kind | undefined => kinds[`${apiVersion} ${kind}`];

/**
 * What a manifest's schema has against it: a missing member, a wrong type. Members that it does not know pass; see
 * {@link typeProblems}.
 */
export function schemaProblems(manifest: Manifest): string[] {
  const kind = kindOf(manifest);
  if (kind === undefined) return [`there is no ${manifest.apiVersion} ${manifest.kind}`];
  try {
    kind.make(manifest as never).validate();
    return [];
  } catch (error) {
    return [`${manifest.kind} ${manifest.metadata.name}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/**
 * What the compiler says of each manifest, written as a literal of its kind's type. It knows every member of every
 * level, so that a
 * misspelled one is found, which a schema lets pass and a cluster ignores.
 */
export function typeProblems(manifests: readonly Manifest[]): string[][] {
  const base = ts.parseConfigFileTextToJson(
    "tsconfig.base.json",
    readFileSync(join(root, "tsconfig.base.json"), "utf8"),
  ).config as { compilerOptions: object };
  const { options } = ts.convertCompilerOptionsFromJson(
    {
      ...base.compilerOptions,
      composite: false,
      declaration: false,
      emitDeclarationOnly: false,
      noEmit: true,
      exactOptionalPropertyTypes: false,
    },
    root,
  );
  const sources = new Map(
    manifests.map((manifest, index) => {
      const module = kindOf(manifest)?.module ?? "unknown";
      return [
        join(root, "test/deploy", `manifest-${index}.ts`),
        `import type { I${manifest.kind} } from "${module}";\nexport const manifest: I${manifest.kind} = ${JSON.stringify(manifest, null, 1)};\n`,
      ];
    }),
  );
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.getSourceFile = (name, language) => {
    const source = sources.get(name);
    return source === undefined
      ? getSourceFile.call(host, name, language)
      : ts.createSourceFile(name, source, language, true);
  };
  host.fileExists = (name) => sources.has(name) || fileExists.call(host, name);
  host.readFile = (name) => sources.get(name) ?? readFile.call(host, name);
  host.getCurrentDirectory = () => root;
  const program = ts.createProgram([...sources.keys()], options, host);
  return [...sources.keys()].map((name) => {
    const source = program.getSourceFile(name);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "),
    );
  });
}
