import { equalInConstantTime, type MasterKey } from './crypto.ts'
import { Problem } from './problem.ts'

const MAC_BYTES = 16
const PURPOSE = 'cursor'

/**
 * Cursors name the last id of a page. They are authenticated, and bound to the tenant, the list and
 * the filters they were made with: in any other place they are refused, never reinterpreted.
 */
export interface Cursors {
  seal(scope: CursorScope, lastId: string): string
  /** @throws Problem cursor_invalid */
  open(scope: CursorScope, cursor: string): string
}

export interface CursorScope {
  tenantId: string
  list: string
  filters: Record<string, string | undefined>
}

export function createCursors(masterKey: MasterKey): Cursors {
  const macOf = (scope: CursorScope, lastId: Buffer): Buffer => {
    const filters = Object.entries(scope.filters)
      .filter(([, value]) => value !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
    const bound = JSON.stringify([1, scope.tenantId, scope.list, filters, lastId.toString()])
    return masterKey.mac(PURPOSE, bound).subarray(0, MAC_BYTES)
  }
  return {
    seal(scope, lastId) {
      const id = Buffer.from(lastId)
      return Buffer.concat([macOf(scope, id), id]).toString('base64url')
    },
    open(scope, cursor) {
      const bytes = Buffer.from(cursor, 'base64url')
      const id = bytes.subarray(MAC_BYTES)
      const isGenuine =
        id.length > 0 &&
        bytes.toString('base64url') === cursor &&
        equalInConstantTime(bytes.subarray(0, MAC_BYTES), macOf(scope, id))
      if (!isGenuine)
        throw new Problem('cursor_invalid', {
          detail: 'Begin again without a cursor, and keep the filters while you page.',
        })
      return id.toString()
    },
  }
}

/** Cuts the row that was read beyond the limit off, and says whether there is a next page. */
export function toPage<Row extends { id: string }, Item>(
  rows: Row[],
  limit: number,
  toItem: (row: Row) => Item,
  sealCursor: (lastId: string) => string,
) {
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const hasMore = rows.length > limit && last !== undefined
  return {
    object: 'list' as const,
    data: page.map(toItem),
    has_more: hasMore,
    next_cursor: hasMore ? sealCursor(last.id) : null,
  }
}
