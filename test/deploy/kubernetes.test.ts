import assert from "node:assert/strict";
import type { IScaledObject } from "@kubernetes-models/keda/keda.sh/v1alpha1/ScaledObject";
import type { IPodMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PodMonitor";
import type { IDeployment } from "kubernetes-models/apps/v1/Deployment";
import type { IJob } from "kubernetes-models/batch/v1/Job";
import type { IPodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import type { IConfigMap } from "kubernetes-models/v1/ConfigMap";
import type { IService } from "kubernetes-models/v1/Service";
import { describe, test } from "vitest";
import { readDeploy, spoiled, yamlDocuments } from "./support/files.ts";
import { kubernetesProblems } from "./support/kubernetes-problems.ts";
import { kubernetesManifests, manifest, manifestNames, type Manifest } from "./support/manifests.ts";

const all = kubernetesManifests();

test("the manifests fit the command line, the runtime, the metrics and one another", () => {
  assert.deepEqual(kubernetesProblems(all), []);
});

test("the kustomization has every file but that of the migrations, which are a step before", () => {
  const [{ resources }] = yamlDocuments(readDeploy("kubernetes/kustomization.yaml")) as [{ resources: string[] }];
  assert.deepEqual(
    resources.sort(),
    manifestNames
      .filter((name) => name !== "migrations")
      .map((name) => `${name}.yaml`)
      .sort(),
  );
});

test("Compose and Kubernetes run the same configuration", () => {
  const config = manifest<IConfigMap>(all, "ConfigMap", "hebra").data!["hebra.json"]!;
  assert.deepEqual(JSON.parse(config), JSON.parse(readDeploy("compose/hebra.json")));
});

type Spoil = (copy: Manifest[]) => void;
const within =
  <T>(kind: string, name: string, spoil: (copy: T) => void): Spoil =>
  (copy) =>
    spoil(manifest<T>(copy, kind, name));
const gateway = (spoil: (copy: IDeployment) => void) => within("Deployment", "hebra-gateway", spoil);
const worker = (spoil: (copy: IDeployment) => void) => within("Deployment", "hebra-worker", spoil);
const scaling = (spoil: (spec: IScaledObject["spec"]) => void) =>
  within<IScaledObject>("ScaledObject", "hebra-worker", ({ spec }) => spoil(spec));
const podOf = ({ spec }: IDeployment) => spec!.template.spec!;
const containerOf = (deployment: IDeployment) => podOf(deployment).containers[0]!;
const word = (from: string, to: string) => (copy: IDeployment) =>
  void (containerOf(copy).args = containerOf(copy).args!.map((one) => (one === from ? to : one)));
const configured = (from: string, to: string): Spoil =>
  within<IConfigMap>(
    "ConfigMap",
    "hebra",
    ({ data }) => void (data!["hebra.json"] = data!["hebra.json"]!.replace(from, to)),
  );

describe("a check finds", () => {
  test.each<[string, Spoil, RegExp]>([
    ["a command that hebra has not", worker(word("worker", "workers")), /no command `hebra workers`/],
    ["an option of another command", worker(word("--concurrency", "--port")), /Unknown option '--port'/],
    [
      "a migration that changes nothing",
      within<IJob>(
        "Job",
        "hebra-migrations",
        ({ spec }) => void (spec!.template.spec!.containers[0]!.args![3] = "--aply"),
      ),
      /Unknown option '--aply'/,
    ],
    [
      "a grace period that is too short",
      worker((copy) => void (podOf(copy).terminationGracePeriodSeconds = 30)),
      /killed after 30000 ms, and drains for 120000/,
    ],
    ["probes on another port", gateway(word("9090", "9091")), /probed on 9090, and answers on 9091/],
    [
      "a probe of what answers nothing",
      worker((copy) => void (containerOf(copy).livenessProbe!.httpGet!.path = "/health")),
      /\/health, which answers nothing/,
    ],
    ["a pod that nobody can reach", gateway(word("0.0.0.0", "127.0.0.1")), /reach/],
    ["messages on another port", gateway(word("8080", "8081")), /sent messages on 8080, and listens on 8081/],
    [
      "metrics on another port",
      worker((copy) => void (containerOf(copy).env![3]!.value = "9465")),
      /scraped on 9464, and answers on 9465/,
    ],
    [
      "a password in plain sight",
      worker((copy) => void containerOf(copy).env!.push({ name: "REDIS_URL", value: "redis://:hunter2@redis:6379" })),
      /REDIS_URL holds a secret/,
    ],
    [
      "a secret that is not mounted",
      worker((copy) => void delete podOf(copy).volumes![1]!.secret),
      /database-url, which is not mounted/,
    ],
    [
      "a configuration that is not mounted",
      worker((copy) => void (containerOf(copy).volumeMounts![0]!.mountPath = "/etc")),
      /hebra\.json, which is not mounted/,
    ],
    ["a configuration that the runtime refuses", configured('"locks"', '"lock"'), /did you mean/],
    [
      "a configuration of local locks",
      configured('"locks": { "backend": "redis", "url": "${REDIS_URL}" },', ""),
      /bus or locks are local/,
    ],
    ["a store that migrates by itself", configured("manual", "automatic"), /migration of its own step/],
    ["a variable that is not set", configured("${REDIS_URL}", "${REDIS}"), /names REDIS, which is not set/],
    ["two owners of a channel", gateway(({ spec }) => void (spec!.replicas = 2)), /two gateways/],
    [
      "two owners of a channel while it is exchanged",
      gateway(({ spec }) => void (spec!.strategy = { type: "RollingUpdate" })),
      /two gateways/,
    ],
    ["replicas that an apply takes back", worker(({ spec }) => void (spec!.replicas = 3)), /takes back/],
    [
      "a pod that runs as root",
      worker((copy) => void (podOf(copy).securityContext!.runAsNonRoot = false)),
      /worker runs as root/,
    ],
    [
      "a writable image",
      gateway((copy) => void (containerOf(copy).securityContext!.readOnlyRootFilesystem = false)),
      /gateway can write/,
    ],
    ["a pod without limits", worker((copy) => void (containerOf(copy).resources = {})), /worker has no resources/],
    [
      "a service of the workers",
      within<IService>(
        "Service",
        "hebra-gateway",
        ({ spec }) => void delete spec!.selector!["app.kubernetes.io/component"],
      ),
      /gateway alone/,
    ],
    [
      "a budget of nobody",
      within<IPodDisruptionBudget>(
        "PodDisruptionBudget",
        "hebra-worker",
        ({ spec }) => void (spec!.selector!.matchLabels!["app.kubernetes.io/component"] = "workers"),
      ),
      /workers alone/,
    ],
    [
      "a monitor of another port",
      within<IPodMonitor>("PodMonitor", "hebra", ({ spec }) => void (spec!.podMetricsEndpoints![0]!.port = "http")),
      /hebra-worker has no port http/,
    ],
    [
      "more workers than the configuration says",
      scaling((spec) => void (spec.maxReplicaCount = 40)),
      /40 workers may run/,
    ],
    ["a last worker that may go", scaling((spec) => void (spec.minReplicaCount = 0)), /last worker/],
    ["a target that there is not", scaling((spec) => void (spec.scaleTargetRef.name = "worker")), /no such deployment/],
    [
      "a metric that no process has",
      scaling(({ triggers }) => void (triggers[1]!.metadata["query"] = "max(hebra_queue_age_seconds)")),
      /no process has hebra_queue_age_seconds/,
    ],
    [
      "a label that the metric has not",
      scaling(({ triggers }) => void (triggers[0]!.metadata["query"] = 'max(hebra_queue_depth{queue="inbound"})')),
      /no label queue/,
    ],
    [
      "a query that cannot be read",
      scaling(({ triggers }) => void (triggers[0]!.metadata["query"] += "[")),
      /cannot be read/,
    ],
    [
      "no age to scale by",
      scaling((spec) => void (spec.triggers = spec.triggers.slice(0, 1))),
      /nothing is scaled by hebra_queue_oldest_waiting_age_seconds/,
    ],
    [
      "a threshold that is no number",
      scaling(({ triggers }) => void (triggers[0]!.metadata["threshold"] = "ten")),
      /no query with a threshold/,
    ],
    ["workers that take more than they are counted on for", worker(word("10", "25")), /takes 25 conversations/],
    [
      "an age that counts what workers hold",
      scaling(
        ({ triggers }) =>
          void (triggers[1]!.metadata["query"] = triggers[1]!.metadata["query"]!.replace(
            "oldest_waiting_age",
            "oldest_age",
          )),
      ),
      /nothing is scaled by hebra_queue_oldest_waiting_age_seconds/,
    ],
  ])("%s", (_title, spoil, expected) => {
    assert.match(kubernetesProblems(spoiled(all, spoil)).join("\n"), expected);
  });
});
