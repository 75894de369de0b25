import type { IncomingMessage } from 'node:http'
import type { TenantCopy } from '../freshness/tenant-copy.ts'
import type { Verdict } from './rate-limit.ts'

/**
 * What was begun for a request before the framework got it, so that it is not done, waited for or
 * counted a second time.
 */
export interface HeadStart {
  /** The copy of the tenant that the request's secret names, asked for since the request arrived. */
  copy: Promise<TenantCopy | null>
  /** What the limits said; left out: nobody has asked them. */
  verdict?: Verdict | Promise<Verdict>
}

/** Kept only as long as the request itself. */
export type HeadStarts = WeakMap<IncomingMessage, HeadStart>
