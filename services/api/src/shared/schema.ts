import type { Static, TSchema } from 'typebox'
import { Type } from './type.ts'

/** RFC 3339, UTC, milliseconds. */
export const Instant = Type.String({
  format: 'date-time',
  // Nanoseconds and an offset; the format alone would take any number of digits.
  maxLength: 35,
  description: 'RFC 3339 in UTC with milliseconds.',
  examples: ['2026-11-21T09:30:00.000Z'],
})

/** A value or null, in the form that OpenAPI 3.1 and our serialiser both know. */
export const Nullable = <T extends TSchema>(schema: T, description?: string) =>
  Type.Union([schema, Type.Null()], description === undefined ? {} : { description })

export const DEFAULT_PAGE_LIMIT = 20
export const MAX_PAGE_LIMIT = 100

/** The query parameters of every list. */
export const PageQuery = {
  limit: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: MAX_PAGE_LIMIT,
      default: DEFAULT_PAGE_LIMIT,
      description: 'How many at most.',
    }),
  ),
  cursor: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 512,
      description: 'The `next_cursor` of the page before. Only good with the same filters.',
    }),
  ),
}

/** One page of a list. */
export const Page = <T extends TSchema>(item: T) =>
  Type.Object(
    {
      object: Type.Literal('list'),
      data: Type.Array(item),
      has_more: Type.Boolean(),
      next_cursor: Nullable(Type.String(), 'For the next page; null on the last one.'),
    },
    { additionalProperties: false },
  )

export type PageOf<T> = {
  object: 'list'
  data: T[]
  has_more: boolean
  next_cursor: string | null
}

/** The problem document: RFC 9457. */
export const ProblemDocument = Type.Object(
  {
    type: Type.String({ format: 'uri', description: 'The page that explains this problem.' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'Stable name of the problem.' }),
    detail: Type.Optional(Type.String()),
    request_id: Type.String(),
    errors: Type.Optional(
      Type.Array(Type.Object({ field: Type.String(), message: Type.String() })),
    ),
  },
  { description: 'A problem, as RFC 9457 describes it.' },
)
export type ProblemDocument = Static<typeof ProblemDocument>
