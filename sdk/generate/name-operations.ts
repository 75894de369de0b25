import type { NamedOperation, OpenApi, Operation, Schema } from './openapi.ts'

const JSON_TYPE = 'application/json'

/**
 * The operations under /v1 that speak JSON both ways: what the client can call. Parameters and
 * answers that stand in an operation get a name of their own, and move to the document's schemas.
 */
export function nameOperations(document: OpenApi): NamedOperation[] {
  return Object.entries(document.paths)
    .filter(([path]) => path.startsWith('/v1/'))
    .flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, operation]) => speaksJson(operation))
        .map(([method, operation]) => ({
          route: `${method.toUpperCase()} ${path}`,
          ...nameParts(document.components.schemas, operation),
        })),
    )
}

const successOf = ({ responses }: Operation) =>
  Object.entries(responses).find(([status]) => status.startsWith('2'))?.[1]

const speaksJson = (operation: Operation): boolean =>
  [operation.requestBody?.content, successOf(operation)?.content].every(
    content => content === undefined || JSON_TYPE in content,
  )

function nameParts(schemas: Record<string, Schema>, operation: Operation) {
  const { operationId, parameters = [], requestBody } = operation
  const nameOf = (schema: Schema | undefined, suffix: string): string | null => {
    if (schema === undefined) return null
    if (schema.$ref !== undefined) return schema.$ref.slice('#/components/schemas/'.length)
    const name = operationId.charAt(0).toUpperCase() + operationId.slice(1) + suffix
    schemas[name] = schema
    return name
  }
  const inQuery = parameters.filter(parameter => parameter.in === 'query')
  const inPath = parameters.filter(parameter => parameter.in === 'path')
  return {
    operationId,
    pathParams: inPath.map(({ name = '' }) => name),
    query: inQuery.length === 0 ? null : nameOf(querySchema(inQuery), 'Params'),
    body: nameOf(requestBody?.content[JSON_TYPE]?.schema, 'Params'),
    result: nameOf(successOf(operation)?.content?.[JSON_TYPE]?.schema, 'Result'),
  }
}

const querySchema = (parameters: NonNullable<Operation['parameters']>): Schema => ({
  type: 'object',
  properties: Object.fromEntries(parameters.map(({ name = '', schema = {} }) => [name, schema])),
  required: parameters.flatMap(({ name = '', required }) => (required === true ? [name] : [])),
  additionalProperties: false,
})
