import { DEFAULT_SETTINGS, type TenantSettings } from './tenants.schema.ts'

/** The tenant's own settings over the defaults. What is stored was checked when it was written. */
export const readSettings = (stored: unknown): TenantSettings => ({
  ...DEFAULT_SETTINGS,
  ...ownSettings(stored),
})

/** What is given replaces what was set; `apps` is replaced as a whole. */
export const mergeSettings = (
  stored: unknown,
  given: Partial<TenantSettings>,
): Partial<TenantSettings> => ({ ...ownSettings(stored), ...given })

const ownSettings = (stored: unknown): Partial<TenantSettings> =>
  typeof stored === 'object' && stored !== null ? stored : {}
