import { hebraAttributes } from "@hebra/core";
import type { SeenSpan } from "@hebra/thread/testing";
import { trace } from "@opentelemetry/api";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";

/** Registers the SDK for this process, once. @returns the spans of an execution, as far as they have ended */
export function seenSpans(): (executionId: string) => SeenSpan[] {
  const all = () => (exporter ??= register()).getFinishedSpans();
  all();
  return (executionId) =>
    all()
      .filter(({ attributes }) => attributes[hebraAttributes.executionId] === executionId)
      .map((span) => {
        const text = (name: string) => {
          const value = span.attributes[name];
          return typeof value === "string" ? value : undefined;
        };
        const [contextId, runId] = [text(hebraAttributes.contextId), text(hebraAttributes.runId)];
        return {
          name: span.name,
          executionId,
          traceId: span.spanContext().traceId,
          ...(contextId === undefined ? {} : { contextId }),
          ...(runId === undefined ? {} : { runId }),
        };
      });
}

let exporter: InMemorySpanExporter | undefined;

function register(): InMemorySpanExporter {
  const made = new InMemorySpanExporter();
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(made)] }));
  return made;
}
