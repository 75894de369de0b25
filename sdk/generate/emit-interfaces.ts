import openapiTs, { astToString } from 'openapi-typescript'
import ts from 'typescript'
import { plainSchema } from './map-schemas.ts'
import type { Schema } from './openapi.ts'

/**
 * TypeScript for these schemas, by openapi-typescript. It nests all of them in one type; here each
 * becomes an interface of its own, so that an editor shows `Session` and not how it is made.
 */
export async function emitInterfaces(schemas: Record<string, Schema>): Promise<string> {
  const plain = Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, plainSchema(schema)]),
  )
  const document = {
    openapi: '3.1.0',
    info: { title: 'Sesame', version: '1' },
    paths: {},
    components: { schemas: plain },
  }
  // A default does not make a field required of who asks.
  const nodes = await openapiTs(JSON.stringify(document), {
    defaultNonNullable: false,
    silent: true,
  })
  const declarations = schemaMembers(nodes).map(declarationOf)
  const { transformed } = ts.transform<ts.Node>(declarations, [() => nameReferences])
  return tidy(astToString(transformed))
}

function schemaMembers(nodes: ts.Node[]): ts.PropertySignature[] {
  const components = nodes.find(
    node => ts.isInterfaceDeclaration(node) && node.name.text === 'components',
  )
  const members = components && ts.isInterfaceDeclaration(components) ? components.members : []
  const schemas = members.find(member => memberName(member) === 'schemas')
  if (schemas === undefined || !ts.isPropertySignature(schemas)) throw new Error('no schemas')
  if (schemas.type === undefined || !ts.isTypeLiteralNode(schemas.type)) throw new Error('no types')
  return schemas.type.members.filter(ts.isPropertySignature)
}

const memberName = ({ name }: ts.TypeElement): string =>
  name !== undefined && (ts.isIdentifier(name) || ts.isStringLiteral(name)) ? name.text : ''

function declarationOf(member: ts.PropertySignature): ts.Statement {
  const { type } = member
  if (type === undefined) throw new Error(`${memberName(member)} has no type`)
  const exported = [ts.factory.createModifier(ts.SyntaxKind.ExportKeyword)]
  const name = memberName(member)
  const declaration = ts.isTypeLiteralNode(type)
    ? ts.factory.createInterfaceDeclaration(exported, name, undefined, undefined, type.members)
    : ts.factory.createTypeAliasDeclaration(exported, name, undefined, type)
  const comments = ts.getSyntheticLeadingComments(member)
  return comments ? ts.setSyntheticLeadingComments(declaration, comments) : declaration
}

/** `components["schemas"]["Session"]` becomes `Session`. */
function nameReferences(root: ts.Node): ts.Node {
  const visit = (node: ts.Node): ts.Node => {
    if (ts.isIndexedAccessTypeNode(node) && ts.isIndexedAccessTypeNode(node.objectType)) {
      const { indexType } = node
      if (ts.isLiteralTypeNode(indexType) && ts.isStringLiteral(indexType.literal))
        return ts.factory.createTypeReferenceNode(indexType.literal.text)
    }
    return ts.visitEachChild(node, visit, undefined)
  }
  return visit(root)
}

/** Comments as people write them: no tags that repeat the type. */
function tidy(text: string): string {
  return text
    .replace(/^ *\/\*\* @(?:constant|enum \{\w+\}) *\*\/\n/gm, '')
    .replace(/^ *\* @(?:constant|enum \{\w+\})\n/gm, '')
    .replace(/(\* )@description /g, '$1')
    .replace(/^(.*[;}])\n(?=\/\*\*|export )/gm, '$1\n\n')
    .replace(/^( *)\/\*\*\n *\* (.*)\n *\*\/\n/gm, '$1/** $2 */\n')
}
