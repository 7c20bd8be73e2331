import { parseRuntimeConfig, type RuntimeConfig } from "@hebra/thread/runtime";
import type { IScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject";
import type { IPodMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor";
import type { IDeployment } from "kubernetes-models/apps/v1/Deployment";
import type { IJob } from "kubernetes-models/batch/v1/Job";
import type { INetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import type { IPodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import type { IConfigMap } from "kubernetes-models/v1/ConfigMap";
import type { IService } from "kubernetes-models/v1/Service";
import { parseCommandLine } from "./command-lines.ts";
import { manifest, type Manifest } from "./manifests.ts";
import { knownSeries } from "./metric-names.ts";
import { containerProblems, type HebraContainer } from "./processes.ts";
import { queryProblems, seriesIn } from "./promql.ts";

type Template = NonNullable<IDeployment["spec"]>["template"];
type Labels = Readonly<Record<string, string>> | undefined;

/** Whether a selector picks a pod by its labels. */
const picks = (selector: Labels, labels: Labels) =>
  Object.entries(selector ?? {}).every(([name, value]) => labels?.[name] === value);

/** The container of a pod as the checks of processes see it. */
function containerOf(name: string, template: Template, all: readonly Manifest[]): HebraContainer {
  const { volumes = [], containers, terminationGracePeriodSeconds = 30 } = template.spec!;
  const {
    args = [],
    env = [],
    ports = [],
    volumeMounts = [],
    startupProbe,
    livenessProbe,
    readinessProbe,
  } = containers[0]!;
  const files = volumeMounts.flatMap(({ name: volume, mountPath }) => {
    const { configMap, secret } = volumes.find((one) => one.name === volume) ?? {};
    const data = configMap === undefined ? {} : (manifest<IConfigMap>(all, "ConfigMap", configMap.name!).data ?? {});
    const keys = secret === undefined ? [] : ["redis-url", "database-url", "api-key"];
    return [...Object.entries(data), ...keys.map((key) => [key, undefined] as const)].map(
      ([key, value]) => [`${mountPath}/${key}`, value] as const,
    );
  });
  const numbers = Object.fromEntries(ports.map((port) => [port.name!, port.containerPort]));
  const probes = [startupProbe, livenessProbe, readinessProbe].flatMap((probe) =>
    probe?.httpGet === undefined
      ? []
      : [{ port: numbers[probe.httpGet.port] ?? Number(probe.httpGet.port), path: probe.httpGet.path ?? "" }],
  );
  return {
    name,
    args,
    environment: Object.fromEntries(env.map((one) => [one.name, one.value])),
    graceMs: terminationGracePeriodSeconds * 1_000,
    files: Object.fromEntries(files),
    probes,
    ports: numbers,
  };
}

/** What the restricted pod security standard asks for, and a little more. */
function securityProblems(name: string, { spec }: Template): string[] {
  const pod = spec!.securityContext;
  const { securityContext: own, resources } = spec!.containers[0]!;
  const asked: [boolean, string][] = [
    [pod?.runAsNonRoot === true && (pod.runAsUser ?? 0) > 0, "runs as root"],
    [pod?.seccompProfile?.type === "RuntimeDefault", "has no seccomp profile"],
    [own?.readOnlyRootFilesystem === true, "can write to its image"],
    [
      own?.allowPrivilegeEscalation === false && own.capabilities?.drop?.includes("ALL") === true,
      "may become more than it is",
    ],
    [spec!.automountServiceAccountToken === false, "holds a token of the cluster"],
    [resources?.requests !== undefined && resources.limits?.["memory"] !== undefined, "has no resources"],
  ];
  return asked.filter(([ok]) => !ok).map(([, what]) => `${name} ${what}`);
}

/** What would not work about the manifests, besides their shape. */
export function kubernetesProblems(all: readonly Manifest[]): string[] {
  const problems: string[] = [];
  const gateway = manifest<IDeployment>(all, "Deployment", "hebra-gateway");
  const worker = manifest<IDeployment>(all, "Deployment", "hebra-worker");
  const migrations = manifest<IJob>(all, "Job", "hebra-migrations");
  for (const { kind, metadata } of all)
    if (kind !== "Namespace" && metadata.namespace !== "hebra")
      problems.push(`${kind} ${metadata.name} is in no namespace`);
  for (const [name, template] of [
    ["gateway", gateway.spec!.template],
    ["worker", worker.spec!.template],
    ["migrations", migrations.spec!.template],
  ] as const) {
    problems.push(...containerProblems(containerOf(name, template, all)), ...securityProblems(name, template));
  }
  // What follows reads the same command lines and the same configuration.
  if (problems.length > 0) return problems;
  for (const { metadata, spec } of [gateway, worker])
    if (!picks(spec!.selector.matchLabels, spec!.template.metadata?.labels))
      problems.push(`${metadata!.name!} does not select its own pods`);
  if (gateway.spec!.replicas !== 1 || gateway.spec!.strategy?.type !== "Recreate")
    problems.push("two gateways could own one channel");
  if (worker.spec!.replicas !== undefined) problems.push("an apply takes back what was scaled");
  if (worker.spec!.strategy?.rollingUpdate?.maxUnavailable !== 0) problems.push("workers go before others came");
  return [...problems, ...selectionProblems(all, gateway, worker), ...scalingProblems(all, worker)];
}

/** Whether everything that picks pods picks the right ones, by labels and by names of ports. */
function selectionProblems(all: readonly Manifest[], gateway: IDeployment, worker: IDeployment): string[] {
  const problems: string[] = [];
  const labels = { gateway: gateway.spec!.template.metadata?.labels, worker: worker.spec!.template.metadata?.labels };
  const portsOf = ({ spec }: IDeployment) => (spec!.template.spec!.containers[0]!.ports ?? []).map(({ name }) => name);
  const service = manifest<IService>(all, "Service", "hebra-gateway").spec!;
  if (!picks(service.selector, labels.gateway) || picks(service.selector, labels.worker))
    problems.push("the service does not pick the gateway alone");
  for (const { targetPort } of service.ports ?? [])
    if (!portsOf(gateway).includes(String(targetPort))) problems.push(`the gateway has no port ${String(targetPort)}`);
  const budget = manifest<IPodDisruptionBudget>(all, "PodDisruptionBudget", "hebra-worker").spec!.selector?.matchLabels;
  if (!picks(budget, labels.worker) || picks(budget, labels.gateway))
    problems.push("the disruption budget does not pick the workers alone");
  for (const policy of all.filter(({ kind }) => kind === "NetworkPolicy") as INetworkPolicy[]) {
    const { podSelector, ingress = [] } = policy.spec!;
    if (!picks(podSelector.matchLabels, labels.gateway)) problems.push(`${policy.metadata!.name!} picks no gateway`);
    for (const { port } of ingress.flatMap(({ ports = [] }) => ports))
      if (!portsOf(gateway).includes(String(port)))
        problems.push(`${policy.metadata!.name!} opens ${String(port)}, which nobody has`);
  }
  const monitor = manifest<IPodMonitor>(all, "PodMonitor", "hebra").spec!;
  for (const deployment of [gateway, worker]) {
    const podLabels = deployment.spec!.template.metadata?.labels;
    const matched = (monitor.selector.matchExpressions ?? []).every(({ key, values = [] }) =>
      values.includes(podLabels?.[key] ?? ""),
    );
    if (!picks(monitor.selector.matchLabels, podLabels) || !matched)
      problems.push(`${deployment.metadata!.name!} is not scraped`);
    for (const { port } of monitor.podMetricsEndpoints ?? [])
      if (!portsOf(deployment).includes(port))
        problems.push(`${deployment.metadata!.name!} has no port ${String(port)} to be scraped`);
  }
  return problems;
}

/** Whether the workers are scaled by what there is to do, and by how long it has waited. */
function scalingProblems(all: readonly Manifest[], worker: IDeployment): string[] {
  const problems: string[] = [];
  const {
    scaleTargetRef,
    minReplicaCount = 0,
    maxReplicaCount = 100,
    triggers,
  } = manifest<IScaledObject>(all, "ScaledObject", "hebra-worker").spec;
  if (scaleTargetRef.name !== worker.metadata!.name)
    problems.push(`${scaleTargetRef.name} is scaled, and there is no such deployment`);
  if (minReplicaCount < 1) problems.push("the last worker may go, and the gateway with it");
  const { workers } = parseRuntimeConfig(
    JSON.parse(manifest<IConfigMap>(all, "ConfigMap", "hebra").data!["hebra.json"]!) as RuntimeConfig,
  );
  if (maxReplicaCount > workers)
    problems.push(`${maxReplicaCount} workers may run, and the configuration says ${workers}`);
  for (const { type, metadata } of triggers) {
    if (
      type !== "prometheus" ||
      metadata["query"] === undefined ||
      metadata["serverAddress"] === undefined ||
      !/^\d+(\.\d+)?$/.test(metadata["threshold"] ?? "")
    )
      problems.push(`a trigger is no query with a threshold: ${JSON.stringify(metadata)}`);
    problems.push(...queryProblems(metadata["query"] ?? "", knownSeries()));
  }
  const asked = triggers.map(({ metadata }) => seriesIn(metadata["query"] ?? "")[0]);
  for (const series of ["hebra_queue_depth", "hebra_queue_oldest_waiting_age_seconds"])
    if (!asked.includes(series)) problems.push(`nothing is scaled by ${series}`);
  const depth = triggers[asked.indexOf("hebra_queue_depth")];
  const { concurrency } = parseCommandLine(worker.spec!.template.spec!.containers[0]!.args ?? []).options;
  if (depth?.metadata["threshold"] !== concurrency)
    problems.push(
      `a worker takes ${String(concurrency)} conversations, and is counted on for ${String(depth?.metadata["threshold"])}`,
    );
  return problems;
}
