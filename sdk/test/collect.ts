/** All items, in order: `Array.fromAsync`, which TypeScript does not know at this target. */
export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}
