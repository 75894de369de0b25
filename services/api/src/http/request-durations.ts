/** Counts the requests of one route and method. */
export interface RouteDurations {
  observe(statusCode: number, seconds: number): void
}

const NAME = 'http_request_duration_seconds'
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx']

/**
 * The duration histogram, kept by hand: to find a series of prom-client's own costs a label object
 * and a text key for each request, here it is an index into an array.
 */
export function createRequestDurations() {
  const series: Series[] = []
  const routes = new Map<string, RouteDurations>()
  return {
    name: NAME,
    /** The same for the same route, whoever asks. */
    forRoute(method: string, route: string): RouteDurations {
      const known = routes.get(`${method} ${route}`)
      if (known !== undefined) return known
      const ofClass: (Series | undefined)[] = []
      const made: RouteDurations = {
        observe(statusCode, seconds) {
          const index = Math.floor(statusCode / 100) - 1
          const found = ofClass[index] ?? createSeries(method, route, CLASSES[index] ?? 'other')
          if (ofClass[index] === undefined) {
            ofClass[index] = found
            series.push(found)
          }
          found.count++
          found.sum += seconds
          let bucket = 0
          while (bucket < BUCKETS.length && seconds > (BUCKETS[bucket] ?? 0)) bucket++
          found.buckets[bucket] = (found.buckets[bucket] ?? 0) + 1
        },
      }
      routes.set(`${method} ${route}`, made)
      return made
    },
    /** What prom-client asks of a metric. */
    read: () => ({
      name: NAME,
      help: 'Duration of HTTP requests by route, method and class of status.',
      type: 'histogram',
      aggregator: 'sum',
      values: series.flatMap(valuesOf),
    }),
  }
}

interface Series {
  labels: { method: string; route: string; status: string }
  count: number
  sum: number
  /** Not cumulative; the last one is for all that took longer. */
  buckets: Float64Array
}

const createSeries = (method: string, route: string, status: string): Series => ({
  labels: { method, route, status },
  count: 0,
  sum: 0,
  buckets: new Float64Array(BUCKETS.length + 1),
})

function valuesOf({ labels, count, sum, buckets }: Series) {
  let total = 0
  const cumulative = [...BUCKETS, '+Inf'].map((le, i) => {
    total += buckets[i] ?? 0
    return { metricName: `${NAME}_bucket`, labels: { ...labels, le }, value: total }
  })
  return [
    ...cumulative,
    { metricName: `${NAME}_sum`, labels, value: sum },
    { metricName: `${NAME}_count`, labels, value: count },
  ]
}
