import type { FastifyBaseLogger } from 'fastify'
import { type Metrics, startMetricsServer } from '../http/metrics.ts'
import type { Config } from '../shared/config.ts'
import type { Opened } from './shutdown.ts'
import { StartError } from './start-error.ts'

// Long enough for the node to be ready.
const FIRST_LOOK_MS = 1_000

/**
 * Serves the metrics of this process on a port of their own, where one is set.
 *
 * @throws StartError when somebody asked for a port that is taken
 */
export async function serveMetrics(
  {
    metricsHost: host,
    metricsPort: port,
    isMetricsPortRequired,
  }: Pick<Config, 'metricsHost' | 'metricsPort' | 'isMetricsPortRequired'>,
  { registry }: Metrics,
  opened: Opened,
  log: Pick<FastifyBaseLogger, 'warn'>,
): Promise<void> {
  if (port === null) return
  try {
    const server = await startMetricsServer({ host, port, registry })
    opened.add(() => server.close())
    // The event loop and the collector of garbage are measured from the first look on.
    setTimeout(() => void registry.metrics(), FIRST_LOOK_MS).unref()
  } catch (err) {
    if (isMetricsPortRequired)
      throw new StartError(
        `metrics port ${port} on ${host} is taken: set METRICS_PORT to a free one, or to off`,
      )
    log.warn({ err }, 'no metrics: their port is taken, perhaps by another node')
  }
}
