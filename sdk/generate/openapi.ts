/** The parts of docs/openapi.json that the generator reads. */
export interface OpenApi {
  info: object
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema> }
}

export interface Operation {
  operationId: string
  parameters?: { name?: string; in?: string; required?: boolean; schema?: Schema }[]
  requestBody?: { content: Content }
  responses: Record<string, { content?: Content }>
}

type Content = Record<string, { schema: Schema }>

export interface Schema {
  $ref?: string
  properties?: Record<string, Schema>
  patternProperties?: Record<string, Schema>
  required?: string[]
  [keyword: string]: unknown
}

/** An operation whose parameters and answer have names among the document's schemas. */
export interface NamedOperation {
  operationId: string
  /** Such as `GET /v1/sessions/{sessionId}`. */
  route: string
  pathParams: string[]
  query: string | null
  body: string | null
  /** Null for an answer without a body. */
  result: string | null
}
