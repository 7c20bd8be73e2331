import assert from "node:assert/strict";
import type { IScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject";
import type { IDeployment } from "kubernetes-models/apps/v1/Deployment";
import type { INetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import type { IPodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import type { IService } from "kubernetes-models/v1/Service";
import { describe, test } from "vitest";
import { spoiled } from "./support/files.ts";
import { schemaProblems, typeProblems } from "./support/kubernetes-schemas.ts";
import { kubernetesManifests, manifest, type Manifest } from "./support/manifests.ts";

const all = kubernetesManifests();

/** Puts a value where the types allow none. */
const set = (target: object | undefined, member: string, value: unknown) =>
  void Object.assign(target ?? {}, { [member]: value });
const without = (target: object | undefined, member: string) => void Reflect.deleteProperty(target ?? {}, member);
const containerOf = (deployment: IDeployment) => deployment.spec!.template.spec!.containers[0]!;

interface Plant<T> {
  title: string;
  kind: string;
  name: string;
  spoil: (copy: T) => void;
}
const plant = <T>(title: string, kind: string, name: string, spoil: (copy: T) => void) =>
  ({ title, kind, name, spoil: spoil as (copy: never) => void }) as Plant<never>;
const spoil = ({ kind, name, spoil }: Plant<never>): Manifest =>
  spoiled(manifest<never>(all, kind, name), spoil) as Manifest;

/** Mistakes that a schema sees. */
const wrongShapes = [
  plant<IDeployment>("replicas in words", "Deployment", "hebra-gateway", ({ spec }) => set(spec, "replicas", "one")),
  plant<IDeployment>("no selector", "Deployment", "hebra-worker", ({ spec }) => without(spec, "selector")),
  plant<IDeployment>("a port in words", "Deployment", "hebra-worker", (copy) =>
    set(containerOf(copy).ports![0], "containerPort", "probes"),
  ),
  plant<IDeployment>("one argument as a text", "Deployment", "hebra-gateway", (copy) =>
    set(containerOf(copy), "args", "gateway --no-worker"),
  ),
  plant<IDeployment>("a container without a name", "Deployment", "hebra-gateway", (copy) =>
    without(containerOf(copy), "name"),
  ),
  plant<IDeployment>("a quantity that is none", "Deployment", "hebra-worker", (copy) =>
    set(containerOf(copy).resources!.limits, "memory", "half a gigabyte"),
  ),
  plant<IService>("a port without a number", "Service", "hebra-gateway", ({ spec }) =>
    without(spec!.ports![0], "port"),
  ),
  plant<INetworkPolicy>("no pod selector", "NetworkPolicy", "hebra", ({ spec }) => without(spec, "podSelector")),
  plant<IScaledObject>("no target", "ScaledObject", "hebra-worker", ({ spec }) => without(spec, "scaleTargetRef")),
  plant<IScaledObject>("a threshold that is a number", "ScaledObject", "hebra-worker", ({ spec }) =>
    set(spec.triggers[0]!.metadata, "threshold", 10),
  ),
];

/** Misspelled members, which a schema lets pass. */
const misspelled = [
  plant<IDeployment>("replica", "Deployment", "hebra-gateway", ({ spec }) => set(spec, "replica", 1)),
  plant<IDeployment>("terminationGracePeriod", "Deployment", "hebra-worker", ({ spec }) =>
    set(spec!.template.spec, "terminationGracePeriod", 150),
  ),
  plant<IDeployment>("readOnlyRootFileSystem", "Deployment", "hebra-worker", (copy) =>
    set(containerOf(copy).securityContext, "readOnlyRootFileSystem", true),
  ),
  plant<IDeployment>("readyProbe", "Deployment", "hebra-worker", (copy) => set(containerOf(copy), "readyProbe", {})),
  plant<IPodDisruptionBudget>("maxUnavailablePods", "PodDisruptionBudget", "hebra-worker", ({ spec }) =>
    set(spec, "maxUnavailablePods", 1),
  ),
  plant<IScaledObject>("minReplicas", "ScaledObject", "hebra-worker", ({ spec }) => set(spec, "minReplicas", 2)),
  plant<object>("podMetricEndpoints", "PodMonitor", "hebra", (copy) =>
    set((copy as { spec: object }).spec, "podMetricEndpoints", []),
  ),
];

test("every manifest is what its schema asks for", () => {
  assert.deepEqual(all.flatMap(schemaProblems), []);
  assert.deepEqual(all.map(({ kind }) => kind).sort(), [
    "ConfigMap",
    "Deployment",
    "Deployment",
    "Job",
    "Namespace",
    "NetworkPolicy",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "PodMonitor",
    "ScaledObject",
    "Service",
  ]);
});

describe("a schema finds", () => {
  test.each(wrongShapes)("$title in $kind $name", (mistake) => {
    assert.notDeepEqual(schemaProblems(spoil(mistake)), []);
  });
  test("a kind that there is not", () => {
    assert.deepEqual(schemaProblems({ ...all[0]!, apiVersion: "v2" }), ["there is no v2 Namespace"]);
  });
});

test(
  "no manifest has a member that its kind does not know, and each that is planted is found",
  { timeout: 120_000 },
  () => {
    const problems = typeProblems([...all, ...misspelled.map(spoil)]);
    assert.deepEqual(problems.slice(0, all.length).flat(), []);
    for (const [index, { title }] of misspelled.entries())
      assert.match(problems[all.length + index]!.join("\n"), new RegExp(`'"${title}"' does not exist`));
  },
);
