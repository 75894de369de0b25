import type { RevokeSessionsParams } from '../generated/model.ts'

type Filters = Required<Pick<RevokeSessionsParams, 'userId' | 'orgId' | 'appId'>>

/** At least one of the filters; several must all match. */
type SomeFilter = {
  [Name in keyof Filters]: Pick<Filters, Name> & Partial<Filters>
}[keyof Filters]

type NoFilter = { [Name in keyof Filters]?: never }

/** Whose sessions end: of those who match the filters, or really all of the tenant's. */
export type RevokeAllParams = ((SomeFilter & { all?: never }) | (NoFilter & { all: true })) &
  Pick<RevokeSessionsParams, 'except' | 'reason' | 'dryRun'>

const FILTERS = ['userId', 'orgId', 'appId'] as const

/**
 * The parameters as the route takes them. It reads no filter as "all of the tenant": here that has to
 * be said. A filter without a value is refused where the query is made.
 */
export function checkRevokeAll(given: RevokeAllParams): RevokeSessionsParams {
  const { all, ...params } = { ...given }
  const filters = FILTERS.filter(name => name in params)
  if (all !== undefined && all !== true) throw new TypeError('all is true or left out')
  if (all === true && filters.length > 0)
    throw new TypeError(`all and ${filters.join(', ')} contradict each other: leave one out`)
  if (all === undefined && filters.length === 0)
    throw new TypeError('userId, orgId or appId says whose sessions end, or all: true')
  return params
}
