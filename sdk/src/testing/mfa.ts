/** Which kind of factor a method of RFC 8176 proves: something one knows, has, or is. */
const FACTOR_KINDS = new Map(
  Object.entries({
    knowledge: ['pwd', 'pin', 'kba'],
    possession: ['otp', 'sms', 'tel', 'hwk', 'swk', 'pop', 'sc'],
    inherence: ['fpt', 'face', 'iris', 'retina', 'vbm'],
  }).flatMap(([kind, methods]) => methods.map(method => [method, kind] as const)),
)

/** As the service derives `mfa_verified`: two kinds of factor, or `mfa`, which says so itself. */
export function isMfa(amr: readonly string[]): boolean {
  const kinds = new Set(amr.flatMap(method => FACTOR_KINDS.get(method) ?? []))
  return amr.includes('mfa') || kinds.size > 1
}
